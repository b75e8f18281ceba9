// Tokenizers from Hugging Face's tokenizer.json (format: https://huggingface.co/docs/tokenizers, whose library is the
// reference for what each part does) and from BERT's vocab.txt. The parts around the model: json_parts.cc.
#include <algorithm>
#include <charconv>

#include "base/compact_sort.h"
#include "base/json.h"
#include "text/json_parts.h"
#include "text/tokenizer.h"
#include "text/tokenizer_parts.h"

namespace weft {
namespace {

struct JsonToken {
  std::string_view text;
  int64_t id;
  float score = 0;
};

class JsonLoader {
 public:
  JsonLoader(const Json& root, const Json& config, const std::string& where)
      : root_(root), config_(config), where_(where) {}

  Result<std::shared_ptr<const Tokenizer>> load() {
    const Json* model = json_member(root_, "model");
    if (!model || !model->is_object()) return bad("'model'", "an object", model ? model->type_name() : "nothing");
    WEFT_CHECK_OK(read_added_tokens());
    WEFT_TRY(std::string type, json_string(*model, "type", where_, ""));
    const Json* vocab = json_member(*model, "vocab");
    if (type.empty())  // files of before 2021 leave it out
      type = json_member(*model, "merges") ? "BPE" : vocab && vocab->is_array() ? "Unigram" : "WordPiece";
    WEFT_CHECK_OK(read_vocab(vocab));
    parts_.vocab = vocab_;
    JsonParts parts(where_, *vocab_, parts_);
    WEFT_CHECK_OK(parts.normalizer(json_member(root_, "normalizer"), 0));
    WEFT_CHECK_OK(parts.pre_tokenizer(json_member(root_, "pre_tokenizer"), 0));
    WEFT_CHECK_OK(parts.decoder(json_member(root_, "decoder")));
    WEFT_CHECK_OK(parts.post_processor(json_member(root_, "post_processor"), 0));
    add_tokens_to_matcher();
    if (type == "BPE")
      WEFT_CHECK_OK(bpe(*model, parts.byte_level()));
    else if (type == "Unigram")
      WEFT_CHECK_OK(unigram(*model));
    else if (type == "WordPiece")
      WEFT_CHECK_OK(wordpiece(*model));
    else
      return fail(Code::unsupported, where_, "model type", "BPE, Unigram or WordPiece", "'" + type + "'");
    WEFT_CHECK_OK(read_config());
    return std::make_shared<const Tokenizer>(std::move(parts_));
  }

 private:
  std::unexpected<Error> bad(std::string what, std::string expected, std::string found) const {
    return fail(Code::bad_file, where_, std::move(what), std::move(expected), std::move(found));
  }

  Status read_added_tokens() {
    if (const Json* list = json_member(root_, "added_tokens"); list && !list->is_null()) {
      if (!list->is_array()) return bad("'added_tokens'", "an array", list->type_name());
      for (const Json& item : *list) {
        const Json* id = json_member(item, "id");
        if (!id || !id->is_number_integer()) return bad("added token", "an integer id", id ? dump_json(*id) : "no id");
        const bool huge = id->is_number_unsigned() && id->get<uint64_t>() > INT32_MAX;
        WEFT_CHECK_OK(read_added_token(item, huge ? INT32_MAX : id->get<int64_t>()));
      }
    }
    // The configuration may know more of them, by id.
    const Json* table = json_member(config_, "added_tokens_decoder");
    if (!table || table->is_null()) return {};
    if (!table->is_object()) return bad("tokenizer_config: 'added_tokens_decoder'", "an object", table->type_name());
    std::vector<int32_t> known;
    for (const Added& added : added_) known.push_back(added.token.id);
    compact_sort(known);
    for (auto it = table->begin(); it != table->end(); ++it) {
      int32_t id = -1;
      const std::string& key = it.key();
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size())
        return bad("tokenizer_config: 'added_tokens_decoder'", "ids as keys", "'" + key + "'");
      if (!std::binary_search(known.begin(), known.end(), id)) WEFT_CHECK_OK(read_added_token(*it, id));
    }
    return {};
  }

  Status read_added_token(const Json& item, int64_t id) {
    WEFT_TRY(const std::string text, json_string(item, "content", where_, ""));
    if (text.empty()) return bad("added token " + std::to_string(id), "a text as content", "none");
    if (id < 0 || id >= Vocab::kMaxTokens)
      return bad("id of added token '" + text + "'", "0 to " + std::to_string(Vocab::kMaxTokens - 1),
                 std::to_string(id));
    WEFT_TRY(const bool special, json_bool(item, "special", where_, false));
    WEFT_TRY(const bool normalized, json_bool(item, "normalized", where_, !special));
    AddedToken token{.text = text, .id = static_cast<int32_t>(id), .special = special};
    WEFT_TRY(token.strip_left, json_bool(item, "lstrip", where_, false));
    WEFT_TRY(token.strip_right, json_bool(item, "rstrip", where_, false));
    WEFT_TRY(token.whole_word, json_bool(item, "single_word", where_, false));
    added_.push_back({std::move(token), normalized});
    return {};
  }

  Status collect(const Json* vocab, std::vector<JsonToken>& out) {
    if (!vocab || !(vocab->is_object() || vocab->is_array()))
      return bad("'model.vocab'", "an object or an array", vocab ? vocab->type_name() : "nothing");
    out.reserve(vocab->size());
    if (vocab->is_object()) {
      for (auto it = vocab->begin(); it != vocab->end(); ++it) {
        if (!it->is_number_integer()) return bad("id of token '" + it.key() + "'", "an integer", it->type_name());
        const bool huge = it->is_number_unsigned() && it->get<uint64_t>() > INT32_MAX;
        out.push_back({it.key(), huge ? INT64_MAX : it->get<int64_t>()});
      }
      return {};
    }
    for (const Json& item : *vocab) {
      if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_number())
        return bad("token " + std::to_string(out.size()), "[text, score]", item.type_name());
      out.push_back({item[0].get_ref<const std::string&>(), static_cast<int64_t>(out.size()), item[1].get<float>()});
    }
    return {};
  }

  Status read_vocab(const Json* vocab) {
    std::vector<JsonToken> tokens;
    WEFT_CHECK_OK(collect(vocab, tokens));
    std::sort(tokens.begin(), tokens.end(), [](const JsonToken& a, const JsonToken& b) { return a.id < b.id; });
    vocab_ = std::make_shared<Vocab>(where_);
    size_t bytes = 0;
    for (const JsonToken& token : tokens) bytes += token.text.size();
    vocab_->reserve(tokens.size() + added_.size(), bytes);
    for (const JsonToken& token : tokens)
      WEFT_CHECK_OK(vocab_->add(token.id, token.text, TokenType::normal, token.score));
    for (const auto& [token, normalized] : added_) {
      const int32_t known = vocab_->find(token.text);
      if (known >= 0 && known != token.id)
        return bad("added token '" + token.text + "'", "id " + std::to_string(known) + " as in the vocabulary",
                   std::to_string(token.id));
      const TokenType type = token.special ? TokenType::control : TokenType::user_defined;
      if (known < 0) WEFT_CHECK_OK(vocab_->add(token.id, token.text, type));
      // A plain token that is also listed as added keeps its part in the model's own work.
      else if (token.special)
        vocab_->set_type(known, type);
    }
    return {};
  }

  void add_tokens_to_matcher() {
    for (auto& [token, normalized] : added_) {
      if (token.text.empty()) continue;
      if (!normalized || parts_.normalizer.empty()) {
        parts_.added.add(token);
      } else {
        token.text = parts_.normalizer.apply(token.text);
        parts_.added_normalized.add(token);
      }
    }
  }

  Result<std::optional<int32_t>> token_id(std::string_view text) const {
    if (text.empty()) return std::nullopt;
    const int32_t id = vocab_->find(text);
    if (id < 0) return bad("special token '" + std::string(text) + "'", "a token of the vocabulary", "none");
    return id;
  }

  Status bpe(const Json& model, bool byte_level) {
    parts_.kind = "bpe";
    BpeOptions options{.byte_level = byte_level};
    if (const Json* dropout = json_member(model, "dropout");
        dropout && !dropout->is_null() && !(dropout->is_number() && dropout->get<double>() == 0))
      return fail(Code::unsupported, where_, "model.dropout", "null or 0", dropout->dump());
    WEFT_TRY(options.byte_fallback, json_bool(model, "byte_fallback", where_, false));
    WEFT_TRY(options.ignore_merges, json_bool(model, "ignore_merges", where_, false));
    WEFT_TRY(options.fuse_unknown, json_bool(model, "fuse_unk", where_, false));
    WEFT_TRY(options.continuing_prefix, json_string(model, "continuing_subword_prefix", where_, ""));
    WEFT_TRY(options.end_suffix, json_string(model, "end_of_word_suffix", where_, ""));
    WEFT_TRY(const std::string unknown, json_string(model, "unk_token", where_, ""));
    WEFT_TRY(options.unknown, token_id(unknown));
    parts_.unk = options.unknown;
    const Json* merges = json_member(model, "merges");
    if (!merges || !(merges->is_array() || (merges->is_object() && merges->empty())))
      return bad("'model.merges'", "an array", merges ? merges->type_name() : "nothing");
    std::vector<MergePair> pairs;
    pairs.reserve(merges->size());
    for (const Json& merge : *merges) {
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        pairs.push_back({merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()});
        continue;
      }
      const std::string_view text = merge.is_string() ? std::string_view(merge.get_ref<const std::string&>()) : "";
      const size_t space = text.find(' ');
      if (space == std::string_view::npos)
        return bad("merge " + std::to_string(pairs.size()), "two tokens",
                   merge.is_string() ? merge.dump() : merge.type_name());
      pairs.push_back({text.substr(0, space), text.substr(space + 1)});
    }
    WEFT_TRY(parts_.model, make_bpe(vocab_, pairs, std::move(options)));
    return {};
  }

  Status unigram(const Json& model) {
    parts_.kind = "unigram";
    WEFT_TRY(const bool byte_fallback, json_bool(model, "byte_fallback", where_, false));
    if (const Json* unknown = json_member(model, "unk_id"); unknown && !unknown->is_null()) {
      if (!unknown->is_number_unsigned() || unknown->get<uint64_t>() >= static_cast<uint64_t>(vocab_->size()))
        return bad("'model.unk_id'", "a token id below " + std::to_string(vocab_->size()), dump_json(*unknown));
      parts_.unk = static_cast<int32_t>(unknown->get<uint64_t>());
    }
    WEFT_TRY(parts_.model, make_unigram(vocab_, parts_.unk, byte_fallback));
    return {};
  }

  Status wordpiece(const Json& model) {
    parts_.kind = "wordpiece";
    WordPieceOptions options;
    WEFT_TRY(options.continuing_prefix, json_string(model, "continuing_subword_prefix", where_, "##"));
    WEFT_TRY(const std::string unknown, json_string(model, "unk_token", where_, "[UNK]"));
    WEFT_TRY(parts_.unk, token_id(unknown));
    if (!parts_.unk || options.continuing_prefix.empty())
      return bad("'model'", "an unk_token and a continuing_subword_prefix", "an empty text");
    options.unknown = *parts_.unk;
    if (const Json* most = json_member(model, "max_input_chars_per_word"); most && !most->is_null()) {
      if (!most->is_number_unsigned() || most->get<uint64_t>() > 1000000)
        return bad("'model.max_input_chars_per_word'", "an integer up to 1000000", dump_json(*most));
      options.max_characters = static_cast<int>(most->get<uint64_t>());
    }
    parts_.model = make_wordpiece(vocab_, std::move(options));
    return {};
  }

  // "…_token": a text, or an object with the text as its content.
  Result<std::optional<int32_t>> config_token(std::string_view key) const {
    const Json* value = json_member(config_, key);
    if (value && value->is_object()) value = json_member(*value, "content");
    if (!value || value->is_null()) return std::nullopt;
    if (!value->is_string()) return bad("tokenizer_config: '" + std::string(key) + "'", "a text", value->type_name());
    return token_id(value->get_ref<const std::string&>());
  }

  Status read_config() {
    WEFT_TRY(parts_.bos, config_token("bos_token"));
    WEFT_TRY(parts_.eos, config_token("eos_token"));
    WEFT_TRY(parts_.pad, config_token("pad_token"));
    if (!parts_.unk) {
      WEFT_TRY(parts_.unk, config_token("unk_token"));
    }
    guess_missing();
    // The classes derived from Llama's rebuild the template from these two; the file's own may be older.
    WEFT_CHECK_OK(apply_flag("add_bos_token", parts_.bos, parts_.prefix));
    WEFT_CHECK_OK(apply_flag("add_eos_token", parts_.eos, parts_.suffix));
    const Json* chat = json_member(config_, "chat_template");
    if (chat && chat->is_array()) {  // several, by name
      const Json* chosen = nullptr;
      for (const Json& item : *chat) {
        const Json* name = json_member(item, "name");
        if (name && *name == "default") chosen = json_member(item, "template");
      }
      chat = chosen;
    }
    if (!chat || chat->is_null()) return {};
    if (!chat->is_string()) return bad("tokenizer_config: 'chat_template'", "a text", chat->type_name());
    parts_.chat_template = chat->get_ref<const std::string&>();
    return {};
  }

  Status apply_flag(std::string_view key, std::optional<int32_t> token, std::vector<int32_t>& ids) {
    const Json* flag = json_member(config_, key);
    if (!flag || flag->is_null()) return {};
    if (!flag->is_boolean())
      return bad("tokenizer_config: '" + std::string(key) + "'", "true or false", flag->type_name());
    if (flag->get<bool>()) {
      if (ids.empty() && token) ids = {*token};
    } else if (ids.size() == 1 && token && ids[0] == *token) {
      ids.clear();
    }
    return {};
  }

  // Without a config: the usual names, if they are special tokens.
  void guess_missing() {
    auto guess = [&](std::optional<int32_t>& id, std::initializer_list<std::string_view> names) {
      for (std::string_view name : names) {
        const int32_t known = id ? -1 : vocab_->find(name);
        if (known >= 0 && vocab_->type(known) == TokenType::control) id = known;
      }
    };
    guess(parts_.bos, {"<s>", "<bos>", "<|begin_of_text|>", "[CLS]", "<|startoftext|>", "<|endoftext|>"});
    guess(parts_.eos, {"</s>", "<eos>", "<|end_of_text|>", "[SEP]", "<|endoftext|>"});
    guess(parts_.pad, {"<pad>", "[PAD]"});
  }

  struct Added {
    AddedToken token;
    bool normalized;
  };

  const Json& root_;
  const Json& config_;
  const std::string& where_;
  TokenizerParts parts_;
  std::shared_ptr<Vocab> vocab_;
  std::vector<Added> added_;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json(std::string_view tokenizer_json,
                                                              std::string_view config_json, const std::string& where) {
  WEFT_TRY(const Json root, parse_json(tokenizer_json, where));
  if (!root.is_object()) return fail(Code::bad_file, where, "tokenizer.json", "an object", root.type_name());
  Json config = Json::object();
  if (!config_json.empty()) {
    WEFT_TRY(config, parse_json(config_json, where));
  }
  return JsonLoader(root, config, where).load();
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_vocab_txt(std::string_view text, bool lower_case,
                                                                   const std::string& where) {
  TokenizerParts parts;
  auto vocab = std::make_shared<Vocab>(where);
  for (int64_t id = 0; !text.empty(); ++id) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool special = line == "[PAD]" || line == "[UNK]" || line == "[CLS]" || line == "[SEP]" || line == "[MASK]";
    WEFT_CHECK_OK(vocab->add(id, line, special ? TokenType::control : TokenType::normal));
    if (special) parts.added.add({.text = std::string(line), .id = static_cast<int32_t>(id), .special = true});
  }
  auto required = [&](std::string_view name) -> Result<int32_t> {
    const int32_t id = vocab->find(name);
    if (id < 0) return fail(Code::bad_file, where, "vocab.txt", "the token " + std::string(name), "none");
    return id;
  };
  WEFT_TRY(const int32_t unknown, required("[UNK]"));
  WEFT_TRY(const int32_t begin, required("[CLS]"));
  WEFT_TRY(const int32_t end, required("[SEP]"));
  parts.kind = "wordpiece";
  parts.vocab = vocab;
  parts.unk = unknown, parts.bos = begin, parts.eos = end;
  if (const int32_t pad = vocab->find("[PAD]"); pad >= 0) parts.pad = pad;
  parts.prefix = {begin};
  parts.suffix = {end};
  parts.normalizer.add(text_steps::bert({.strip_accents = lower_case, .lower_case = lower_case}));
  WEFT_CHECK_OK(parts.pre_tokenizer.add_bert(where));
  parts.decoding = {.words = true, .continuing = "##", .cleanup = true, .strip_first = true};
  parts.model = make_wordpiece(vocab, {.unknown = unknown});
  return std::make_shared<const Tokenizer>(std::move(parts));
}

}  // namespace weft
