// Tokenizers from GGUF's keys tokenizer.ggml.* (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and what
// llama.cpp's converter writes).
#include <algorithm>

#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"

namespace weft {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";
constexpr int64_t kNoId = 0xFFFFFFFF;  // how some files write "none"

class MetadataLoader {
 public:
  explicit MetadataLoader(const Metadata& metadata) : metadata_(metadata), where_(metadata.source()) {}

  Result<std::shared_ptr<const Tokenizer>> load() {
    if (!metadata_.has(key("model")))
      return fail(Code::no_tokenizer, where_, "metadata key 'tokenizer.ggml.model'", "llama, gpt2, bert or t5",
                  "no such key");
    WEFT_TRY(const std::string model, metadata_.get<std::string>(key("model")));
    if (model == "none" || model == "no_vocab")
      return fail(Code::no_tokenizer, where_, "tokenizer.ggml.model", "llama, gpt2, bert or t5", model);
    if (model != "llama" && model != "gpt2" && model != "bert" && model != "t5")
      return fail(Code::unsupported, where_, "tokenizer.ggml.model", "llama, gpt2, bert or t5", "'" + model + "'");
    WEFT_CHECK_OK(read_vocab(model == "llama" || model == "t5"));
    WEFT_CHECK_OK(read_ids());
    add_special_tokens();
    parts_.vocab = vocab_;
    WEFT_CHECK_OK(model == "gpt2" ? bpe() : model == "llama" ? spm() : model == "t5" ? unigram() : wordpiece());
    WEFT_TRY(parts_.chat_template, metadata_.get_or<std::string>("tokenizer.chat_template", ""));
    return std::make_shared<const Tokenizer>(std::move(parts_));
  }

 private:
  static std::string key(std::string_view name) { return std::string(kPrefix) += name; }

  // The array under `name` without a copy, nullptr if absent.
  template <class T>
  Result<const std::vector<T>*> array(std::string_view name, std::string_view type) {
    const std::string full = key(name);
    const MetaValue* value = metadata_.find(full);
    if (!value) return nullptr;
    if (const auto* found = std::get_if<std::vector<T>>(value)) return found;
    return fail(Code::bad_file, where_, "metadata key '" + full + "'", std::string(type),
                std::string(meta_type_name(*value)));
  }
  Status same_length(std::string_view name, size_t length, size_t tokens) {
    if (length == tokens) return {};
    return fail(Code::bad_file, where_, "metadata key '" + key(name) + "'",
                std::to_string(tokens) + " items, one a token", std::to_string(length));
  }

  Status read_vocab(bool needs_scores) {
    WEFT_TRY(const auto* tokens, array<std::string>("tokens", "array of strings"));
    if (!tokens || tokens->empty())
      return fail(Code::bad_file, where_, "metadata key 'tokenizer.ggml.tokens'", "array of strings",
                  tokens ? "an empty array" : "no such key");
    if (tokens->size() > static_cast<size_t>(Vocab::kMaxTokens))
      return fail(Code::limit, where_, "tokenizer.ggml.tokens",
                  "at most " + std::to_string(Vocab::kMaxTokens) + " tokens", std::to_string(tokens->size()));
    WEFT_TRY(const auto* types, array<int64_t>("token_type", "array of integers"));
    if (types) WEFT_CHECK_OK(same_length("token_type", types->size(), tokens->size()));
    std::vector<double> scores;
    if (metadata_.has(key("scores"))) {
      WEFT_TRY(scores, metadata_.get<std::vector<double>>(key("scores")));
      WEFT_CHECK_OK(same_length("scores", scores.size(), tokens->size()));
    } else if (needs_scores) {
      return fail(Code::bad_file, where_, "metadata key 'tokenizer.ggml.scores'", "array of floats", "no such key");
    }
    size_t bytes = 0;
    for (const std::string& token : *tokens) bytes += token.size();
    vocab_ = std::make_shared<Vocab>(where_);
    vocab_->reserve(tokens->size(), bytes);
    for (size_t i = 0; i < tokens->size(); ++i) {
      const int64_t type = types ? (*types)[i] : 1;
      if (type < 0 || type > 6)
        return fail(Code::bad_file, where_, "type of token " + std::to_string(i), "0 to 6", std::to_string(type));
      const float score = scores.empty() ? 0.0f : static_cast<float>(scores[i]);
      if (!(score == score))
        return fail(Code::bad_file, where_, "score of token " + std::to_string(i), "a number", "NaN");
      WEFT_CHECK_OK(vocab_->add(static_cast<int64_t>(i), (*tokens)[i], static_cast<TokenType>(type), score));
    }
    return {};
  }

  Result<std::optional<int32_t>> id(std::string_view name) {
    if (!metadata_.has(key(name))) return std::nullopt;
    WEFT_TRY(const int64_t value, metadata_.get<int64_t>(key(name)));
    if (value == kNoId || value == -1) return std::nullopt;
    if (!vocab_->contains(value))
      return fail(Code::bad_file, where_, "metadata key '" + key(name) + "'",
                  "a token id below " + std::to_string(vocab_->size()), std::to_string(value));
    return static_cast<int32_t>(value);
  }

  Status read_ids() {
    WEFT_TRY(parts_.bos, id("bos_token_id"));
    WEFT_TRY(parts_.eos, id("eos_token_id"));
    WEFT_TRY(parts_.unk, id("unknown_token_id"));
    WEFT_TRY(parts_.pad, id("padding_token_id"));
    WEFT_TRY(cls_, id("cls_token_id"));
    WEFT_TRY(sep_, id("seperator_token_id"));  // the format's spelling
    if (!sep_) {
      WEFT_TRY(sep_, id("separator_token_id"));
    }
    for (std::string_view name : {"eot_token_id", "eom_token_id"}) {
      WEFT_TRY(auto end, id(name));
      if (end) parts_.ends.push_back(*end);
    }
    WEFT_TRY(const auto* ends, array<int64_t>("eos_token_ids", "array of integers"));
    for (int64_t end : ends ? *ends : std::vector<int64_t>{}) {
      if (!vocab_->contains(end))
        return fail(Code::bad_file, where_, "metadata key 'tokenizer.ggml.eos_token_ids'",
                    "token ids below " + std::to_string(vocab_->size()), std::to_string(end));
      parts_.ends.push_back(static_cast<int32_t>(end));
    }
    return {};
  }

  // Files do not say which special tokens take white space with them: the models' own tokenizer.json do.
  void add_special_tokens() {
    std::string name;
    if (const auto* given = metadata_.peek<std::string>("general.name")) name = *given;
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    const bool phi3 = name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
    for (int32_t id = 0; id < vocab_->size(); ++id) {
      const TokenType type = vocab_->type(id);
      const bool special = type == TokenType::control || type == TokenType::unknown;
      if ((!special && type != TokenType::user_defined) || vocab_->text(id).empty()) continue;
      AddedToken token{.text = std::string(vocab_->text(id)), .id = id, .special = special};
      token.strip_right = phi3 && token.text != "<unk>" && token.text != "<s>" && token.text != "<|endoftext|>";
      token.strip_left = type == TokenType::control && token.text == "<mask>";
      parts_.added.add(std::move(token));
    }
  }

  // Puts `begin` and `end` around texts where the file says so, or by default.
  Status surround(std::optional<int32_t> begin, std::optional<int32_t> end, bool default_begin, bool default_end) {
    WEFT_TRY(const bool add_begin, metadata_.get_or<bool>(key("add_bos_token"), default_begin));
    WEFT_TRY(const bool add_end, metadata_.get_or<bool>(key("add_eos_token"), default_end));
    if (add_begin && begin) parts_.prefix = {*begin};
    if (add_end && end) parts_.suffix = {*end};
    return {};
  }

  Status bpe() {
    parts_.kind = "bpe";
    WEFT_TRY(parts_.pre, metadata_.get_or<std::string>(key("pre"), "default"));
    WEFT_TRY(const auto traits, parts_.pre_tokenizer.add_named(parts_.pre, where_));
    WEFT_CHECK_OK(surround(parts_.bos, parts_.eos, traits.add_bos, false));
    WEFT_TRY(const bool prefix_space, metadata_.get_or<bool>(key("add_space_prefix"), false));
    if (prefix_space)
      return fail(Code::unsupported, where_, "tokenizer.ggml.add_space_prefix", "false for a byte-level tokenizer",
                  "true");
    WEFT_TRY(const auto* merges, array<std::string>("merges", "array of strings"));
    if (!merges)
      return fail(Code::bad_file, where_, "metadata key 'tokenizer.ggml.merges'", "array of strings", "no such key");
    std::vector<MergePair> pairs;
    pairs.reserve(merges->size());
    for (const std::string& merge : *merges) {
      const size_t space = merge.find(' ', 1);
      if (space == std::string::npos || space + 1 >= merge.size())
        return fail(Code::bad_file, where_, "merge " + std::to_string(pairs.size()),
                    "two tokens and a space between them", "'" + merge + "'");
      pairs.push_back({std::string_view(merge).substr(0, space), std::string_view(merge).substr(space + 1)});
    }
    parts_.decoding = {.byte_level = true};
    BpeOptions options{.byte_level = true, .ignore_merges = traits.ignore_merges, .unknown = parts_.unk};
    WEFT_TRY(parts_.model, make_bpe(vocab_, pairs, std::move(options)));
    return {};
  }

  Status spm() {
    parts_.kind = "spm";
    WEFT_CHECK_OK(surround(parts_.bos, parts_.eos, true, false));
    WEFT_TRY(const bool prefix_space, metadata_.get_or<bool>(key("add_space_prefix"), true));
    if (prefix_space) parts_.normalizer.add(text_steps::prepend(std::string(kSpaceMark)));
    parts_.normalizer.add(text_steps::replace(" ", std::string(kSpaceMark)));
    if (tokens_stay_in_words(*vocab_)) parts_.pre_tokenizer.add_space_mark_words();
    parts_.decoding = {.byte_tokens = true, .space = std::string(kSpaceMark), .strip_first = prefix_space};
    parts_.model = make_spm(vocab_, parts_.unk);
    return {};
  }

  Status unigram() {
    parts_.kind = "unigram";
    WEFT_CHECK_OK(surround(parts_.bos, parts_.eos, false, true));
    WEFT_TRY(const bool prefix_space, metadata_.get_or<bool>(key("add_space_prefix"), true));
    WEFT_TRY(const bool merge_spaces, metadata_.get_or<bool>(key("remove_extra_whitespaces"), true));
    WEFT_TRY(const auto* map, array<int64_t>("precompiled_charsmap", "array of integers"));
    if (map && !map->empty()) {
      std::string bytes;
      bytes.reserve(map->size());
      for (int64_t byte : *map) bytes += static_cast<char>(byte & 255);
      WEFT_TRY(CharsMap chars, CharsMap::from_bytes(bytes, where_));
      parts_.normalizer.add(text_steps::chars_map(std::make_shared<const CharsMap>(std::move(chars))));
    }
    parts_.normalizer.add(text_steps::spaces(prefix_space, merge_spaces));
    if (tokens_stay_in_words(*vocab_)) parts_.pre_tokenizer.add_space_mark_words();
    parts_.decoding = {.byte_tokens = true, .space = std::string(kSpaceMark), .strip_first = prefix_space};
    WEFT_TRY(parts_.model, make_unigram(vocab_, parts_.unk, false));
    return {};
  }

  Status wordpiece() {
    parts_.kind = "wordpiece";
    WEFT_TRY(parts_.pre, metadata_.get_or<std::string>(key("pre"), ""));
    WEFT_CHECK_OK(surround(cls_ ? cls_ : parts_.bos, sep_ ? sep_ : parts_.eos, true, true));
    if (!parts_.unk)
      return fail(Code::bad_file, where_, "metadata key 'tokenizer.ggml.unknown_token_id'", "an integer",
                  "no such key");
    WEFT_TRY(const bool lower, metadata_.get_or<bool>(key("normalizer.lowercase"), true));
    parts_.normalizer.add(text_steps::bert({.strip_accents = lower, .lower_case = lower}));
    WEFT_CHECK_OK(parts_.pre_tokenizer.add_bert(where_));
    parts_.decoding = {.words = true, .word_start = std::string(kSpaceMark), .cleanup = true, .strip_first = true};
    parts_.model = make_wordpiece(
        vocab_, {.start_prefix = std::string(kSpaceMark), .continuing_prefix = "", .unknown = *parts_.unk});
    return {};
  }

  const Metadata& metadata_;
  std::string where_;
  TokenizerParts parts_;
  std::shared_ptr<Vocab> vocab_;
  std::optional<int32_t> cls_, sep_;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_metadata(const Metadata& metadata) {
  // GGUF's key for a whole tokenizer.json, as `weft quantize` keeps that of a safetensors folder.
  const auto* json = metadata.peek<std::string>("tokenizer.huggingface.json");
  if (json && !metadata.has("tokenizer.ggml.model")) {
    const auto* config = metadata.peek<std::string>("weft.tokenizer_config_json");
    return from_json(*json, config ? *config : std::string(), metadata.source() + ": tokenizer.huggingface.json");
  }
  return MetadataLoader(metadata).load();
}

}  // namespace weft
