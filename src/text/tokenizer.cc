#include "text/tokenizer.h"

#include <algorithm>
#include <array>

#include "base/compact_sort.h"
#include "base/utf8.h"
#include "text/flat_map.h"
#include "text/tokenizer_parts.h"

namespace weft {
namespace {

constexpr size_t kMaxText = size_t{256} << 20;

// Texts by which models end their answers. <|end|> ends a message but not the answer where <|return|> exists.
constexpr std::string_view kEndNames[] = {"<|eot_id|>",
                                          "<|im_end|>",
                                          "<|end|>",
                                          "<end_of_turn>",
                                          "<|endoftext|>",
                                          "<|eom_id|>",
                                          "<EOT>",
                                          "_<EOT>",
                                          "<|end_of_text|>",
                                          "<|return|>",
                                          "<|call|>",
                                          "<turn|>",
                                          "[EOT]",
                                          "[EOS]",
                                          "<|EOT|>",
                                          "<end_of_utterance>",
                                          "<\xEF\xBD\x9C"
                                          "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"};

// Words repeat: the ids of short ones are kept for the time of one call. Directly mapped, 256 KiB.
class WordCache {
 public:
  static constexpr size_t kMaxBytes = 22, kMaxIds = 10, kEntries = 4096;

  explicit WordCache(bool on) : entries_(on ? kEntries : 0) {}

  template <class Encode>
  void get(std::string_view word, std::vector<int32_t>& out, Encode encode) {
    if (entries_.empty() || word.size() > kMaxBytes) return encode();
    Entry& entry = entries_[hash_bytes(word) % kEntries];
    if (std::string_view(entry.bytes.data(), entry.size) == word) {
      out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
      return;
    }
    const size_t before = out.size();
    encode();
    const size_t count = out.size() - before;
    if (count > kMaxIds) return;
    entry.size = static_cast<uint8_t>(word.size());
    entry.count = static_cast<uint8_t>(count);
    std::copy(word.begin(), word.end(), entry.bytes.begin());
    std::copy(out.begin() + static_cast<ptrdiff_t>(before), out.end(), entry.ids.begin());
  }

 private:
  struct Entry {
    uint8_t size = 0, count = 0;
    std::array<char, kMaxBytes> bytes;
    std::array<int32_t, kMaxIds> ids;
  };
  std::vector<Entry> entries_;
};

void append_replaced(std::string_view text, std::string_view from, std::string& out) {
  size_t at = 0;
  for (size_t hit; !from.empty() && (hit = text.find(from, at)) != std::string_view::npos; at = hit + from.size())
    out.append(text.substr(at, hit - at)).append(" ");
  out.append(text.substr(at));
}

// The bytes of a WordPiece token, with the space that goes before it.
void append_word(std::string_view text, const TokenizerParts::Decoding& how, std::string& out) {
  static constexpr std::string_view kAttached[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
  const bool start = how.word_start.empty() ? how.continuing.empty() || !text.starts_with(how.continuing)
                                            : text.starts_with(how.word_start);
  text.remove_prefix(start ? how.word_start.size() : how.word_start.empty() ? how.continuing.size() : 0);
  const bool attached =
      how.cleanup && std::find(std::begin(kAttached), std::end(kAttached), text) != std::end(kAttached);
  if (start && !attached) out += ' ';
  out += text;
}

void append_bytes(const Vocab& vocab, int32_t id, const TokenizerParts::Decoding& how, std::string& out) {
  const std::string_view text = vocab.text(id);
  const TokenType type = vocab.type(id);
  if (type == TokenType::byte || (how.byte_tokens && type == TokenType::normal)) {
    if (auto byte = ByteTokens::parse(text)) {
      out += static_cast<char>(*byte);
      return;
    }
  }
  const bool plain = type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
  if (plain) {
    if (how.words) out += ' ';
    out += text;
  } else if (how.words) {
    append_word(text, how, out);
  } else {
    const bool ends_word = !how.end_suffix.empty() && text.ends_with(how.end_suffix);
    const std::string_view body = text.substr(0, text.size() - (ends_word ? how.end_suffix.size() : 0));
    if (!how.byte_level || !append_printable(body, out)) append_replaced(body, how.space, out);
    if (ends_word) out += ' ';
  }
}

std::vector<int32_t> find_ends(const TokenizerParts& parts) {
  std::vector<int32_t> ends = parts.ends;
  if (parts.eos) ends.push_back(*parts.eos);
  for (std::string_view name : kEndNames) {
    if (name == "<|end|>" && parts.vocab->find("<|return|>") >= 0 && parts.vocab->find("<|call|>") >= 0) continue;
    if (const int32_t id = parts.vocab->find(name); id >= 0) ends.push_back(id);
  }
  compact_sort(ends);
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return ends;
}

std::unique_ptr<const TokenizerParts> complete(TokenizerParts parts) {
  const Vocab& vocab = *parts.vocab;
  parts.ends = find_ends(parts);
  parts.byte_ends.reserve(static_cast<size_t>(vocab.size()));
  for (int32_t id = 0; id < vocab.size(); ++id) {
    append_bytes(vocab, id, parts.decoding, parts.bytes);
    parts.byte_ends.push_back(static_cast<uint32_t>(parts.bytes.size()));
  }
  return std::make_unique<const TokenizerParts>(std::move(parts));
}

}  // namespace

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(complete(std::move(parts))) {}
Tokenizer::~Tokenizer() = default;

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  const TokenizerParts& p = *parts_;
  if (text.size() > kMaxText)
    return fail(Code::limit, p.vocab->where(), "text to encode", "at most 256 MiB",
                std::to_string(text.size()) + " bytes");
  std::vector<int32_t> out;
  out.reserve(text.size() / 3 + 16);
  if (options.add_bos) out.assign(p.prefix.begin(), p.prefix.end());
  WordScratch words;
  Regex::Scratch regex;
  WordCache cache(text.size() >= 2048);
  auto encode_plain = [&](std::string whole, bool first) {
    TextPieces pieces(std::move(whole));
    p.pre_tokenizer.apply(pieces, regex, first);
    const std::string_view all = pieces.text;
    for (auto [begin, end] : pieces.spans) {
      const std::string_view word = all.substr(begin, end - begin);
      cache.get(word, out, [&] { p.model->encode(word, words, out); });
    }
  };
  auto put = [&](int32_t id) { out.push_back(id); };
  p.added.split(
      text, options.parse_special,
      [&](std::string_view piece) {
        const bool first = piece.data() == text.data();
        if (p.normalizer.empty() && p.added_normalized.empty()) return encode_plain(std::string(piece), first);
        const std::string normal = p.normalizer.apply(piece);
        p.added_normalized.split(
            normal, options.parse_special,
            [&](std::string_view part) { encode_plain(std::string(part), first && part.data() == normal.data()); },
            put);
      },
      put);
  if (options.add_bos) out.insert(out.end(), p.suffix.begin(), p.suffix.end());
  return out;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  for (int32_t id : ids)
    if (!skip_special || !is_control(id)) out += piece_bytes(id);
  if (parts_->decoding.strip_first && out.starts_with(' ')) out.erase(0, 1);
  if (parts_->decoding.strip_last && out.ends_with(' ')) out.pop_back();
  return out;
}

std::string_view Tokenizer::piece_bytes(int32_t id) const {
  const TokenizerParts& p = *parts_;
  if (!p.vocab->contains(id)) return {};
  const uint32_t begin = id == 0 ? 0 : p.byte_ends[static_cast<size_t>(id) - 1];
  return std::string_view(p.bytes).substr(begin, p.byte_ends[static_cast<size_t>(id)] - begin);
}

std::string_view Tokenizer::piece_text(int32_t id) const {
  return parts_->vocab->contains(id) ? parts_->vocab->text(id) : std::string_view{};
}

std::optional<int32_t> Tokenizer::id_of(std::string_view piece) const {
  const int32_t id = parts_->vocab->find(piece);
  return id < 0 ? std::nullopt : std::optional(id);
}

int32_t Tokenizer::vocab_size() const { return parts_->vocab->size(); }
std::optional<int32_t> Tokenizer::bos() const { return parts_->bos; }
std::optional<int32_t> Tokenizer::eos() const { return parts_->eos; }
std::optional<int32_t> Tokenizer::unk() const { return parts_->unk; }
std::optional<int32_t> Tokenizer::pad() const { return parts_->pad; }
bool Tokenizer::add_bos() const { return !parts_->prefix.empty(); }
bool Tokenizer::add_eos() const { return !parts_->suffix.empty(); }
std::span<const int32_t> Tokenizer::prefix() const { return parts_->prefix; }
std::span<const int32_t> Tokenizer::suffix() const { return parts_->suffix; }
std::span<const int32_t> Tokenizer::end_ids() const { return parts_->ends; }
const std::string& Tokenizer::kind() const { return parts_->kind; }
const std::string& Tokenizer::pre() const { return parts_->pre; }
const std::string& Tokenizer::chat_template() const { return parts_->chat_template; }
bool Tokenizer::strips_leading_space() const { return parts_->decoding.strip_first; }

bool Tokenizer::is_end(int32_t id) const { return std::binary_search(parts_->ends.begin(), parts_->ends.end(), id); }

bool Tokenizer::is_control(int32_t id) const {
  return parts_->vocab->contains(id) && parts_->vocab->type(id) == TokenType::control;
}

bool Tokenizer::is_special(int32_t id) const {
  if (!parts_->vocab->contains(id)) return false;
  const TokenType type = parts_->vocab->type(id);
  return type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
}

std::string StreamDecoder::push(int32_t id) {
  if (skip_special_ && tokenizer_.is_control(id)) return {};
  std::string_view bytes = tokenizer_.piece_bytes(id);
  if (strip_ && !bytes.empty()) {
    if (bytes.starts_with(' ')) bytes.remove_prefix(1);
    strip_ = false;
  }
  pending_ += bytes;
  const size_t whole = pending_.size() - incomplete_utf8_tail(pending_);
  std::string out = replace_invalid_utf8(std::string_view(pending_).substr(0, whole));
  pending_.erase(0, whole);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out = replace_invalid_utf8(pending_);
  pending_.clear();
  return out;
}

}  // namespace weft
