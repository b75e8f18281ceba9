#include "text/json_parts.h"

namespace weft {
namespace {

constexpr int kMaxDepth = 16;

std::unexpected<Error> wrong_type(const std::string& where, std::string_view key, std::string expected,
                                  const Json& found) {
  return fail(Code::bad_file, where, "'" + std::string(key) + "'", std::move(expected), found.type_name());
}

}  // namespace

Result<bool> json_bool(const Json& value, std::string_view key, const std::string& where, bool fallback) {
  const Json* member = json_member(value, key);
  if (!member || member->is_null()) return fallback;
  if (!member->is_boolean()) return wrong_type(where, key, "true or false", *member);
  return member->get<bool>();
}

Result<std::string> json_string(const Json& value, std::string_view key, const std::string& where,
                                std::string_view fallback) {
  const Json* member = json_member(value, key);
  if (!member || member->is_null()) return std::string(fallback);
  if (!member->is_string()) return wrong_type(where, key, "a text", *member);
  return member->get_ref<const std::string&>();
}

Result<std::string> JsonParts::type_of(const Json& json, std::string_view part) const {
  if (!json.is_object()) return wrong_type(where_, part, "an object", json);
  return json_string(json, "type", where_, "");
}

std::unexpected<Error> JsonParts::unsupported(std::string_view part, std::string_view type) const {
  return fail(Code::unsupported, where_, std::string(part), "a kind that this build knows",
              "'" + std::string(type) + "'");
}

template <class Read>
Status JsonParts::each(const Json& json, std::string_view key, int depth, Read read) {
  if (depth >= kMaxDepth) return fail(Code::limit, where_, "nested Sequence", "at most 16 levels", "more");
  const Json* list = json_member(json, key);
  if (!list || !list->is_array()) return wrong_type(where_, key, "an array", list ? *list : Json());
  for (const Json& item : *list) WEFT_CHECK_OK(read(item));
  return {};
}

Result<std::string> JsonParts::pattern(const Json& json, bool* literal, std::string* text) const {
  const Json* value = json_member(json, "pattern");
  if (!value) return fail(Code::bad_file, where_, "'pattern'", "String or Regex", "nothing");
  const Json* plain = value->is_string() ? value : json_member(*value, "String");
  const Json* regex = json_member(*value, "Regex");
  if (plain && plain->is_string()) {
    if (literal) *literal = true;
    if (text) *text = plain->get_ref<const std::string&>();
    return literal_pattern(plain->get_ref<const std::string&>());
  }
  if (!regex || !regex->is_string()) return wrong_type(where_, "pattern", "String or Regex", *value);
  return regex->get_ref<const std::string&>();
}

Result<SplitBehavior> JsonParts::behavior(const Json& json, std::string_view fallback) const {
  WEFT_TRY(const std::string name, json_string(json, "behavior", where_, fallback));
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  return unsupported("split behavior", name);
}

Status JsonParts::normalizer(const Json* json, int depth) {
  if (!json || json->is_null()) return {};
  WEFT_TRY(const std::string type, type_of(*json, "normalizer"));
  Normalizer& out = out_.normalizer;
  if (type == "Sequence")
    return each(*json, "normalizers", depth, [&](const Json& item) { return normalizer(&item, depth + 1); });
  if (type == "NFC") return out.add(text_steps::unicode(NormalForm::nfc)), Status();
  if (type == "NFD") return out.add(text_steps::unicode(NormalForm::nfd)), Status();
  if (type == "NFKC") return out.add(text_steps::unicode(NormalForm::nfkc)), Status();
  if (type == "NFKD") return out.add(text_steps::unicode(NormalForm::nfkd)), Status();
  if (type == "Lowercase") return out.add(text_steps::lower_case()), Status();
  if (type == "StripAccents") return out.add(text_steps::strip_accents()), Status();
  if (type == "ByteLevel") return byte_level_ = true, Status();
  if (type == "Prepend") {
    WEFT_TRY(const std::string prefix, json_string(*json, "prepend", where_, ""));
    return out.add(text_steps::prepend(prefix)), Status();
  }
  if (type == "Strip") {
    WEFT_TRY(const bool left, json_bool(*json, "strip_left", where_, true));
    WEFT_TRY(const bool right, json_bool(*json, "strip_right", where_, true));
    return out.add(text_steps::strip(left, right)), Status();
  }
  if (type == "Replace") {
    bool literal = false;
    std::string from;
    WEFT_TRY(const std::string source, pattern(*json, &literal, &from));
    WEFT_TRY(const std::string to, json_string(*json, "content", where_, ""));
    if (literal) return out.add(text_steps::replace(from, to)), Status();
    WEFT_TRY(Regex regex, Regex::compile(source, where_));
    return out.add(text_steps::replace(std::make_shared<const Regex>(std::move(regex)), to)), Status();
  }
  if (type == "Precompiled") {
    WEFT_TRY(const std::string text, json_string(*json, "precompiled_charsmap", where_, ""));
    if (text.empty()) return {};
    WEFT_TRY(const std::string bytes, decode_base64(text, where_));
    WEFT_TRY(CharsMap map, CharsMap::from_bytes(bytes, where_));
    return out.add(text_steps::chars_map(std::make_shared<const CharsMap>(std::move(map)))), Status();
  }
  if (type == "BertNormalizer") {
    text_steps::Bert bert;
    WEFT_TRY(bert.clean, json_bool(*json, "clean_text", where_, true));
    WEFT_TRY(bert.space_around_cjk, json_bool(*json, "handle_chinese_chars", where_, true));
    WEFT_TRY(bert.lower_case, json_bool(*json, "lowercase", where_, true));
    WEFT_TRY(bert.strip_accents, json_bool(*json, "strip_accents", where_, bert.lower_case));
    return out.add(text_steps::bert(bert)), Status();
  }
  return unsupported("normalizer", type);
}

Status JsonParts::metaspace(const Json& json) {
  WEFT_TRY(const std::string replacement, json_string(json, "replacement", where_, kSpaceMark));
  WEFT_TRY(const bool prefix, json_bool(json, "add_prefix_space", where_, true));
  WEFT_TRY(const std::string scheme, json_string(json, "prepend_scheme", where_, prefix ? "always" : "never"));
  WEFT_TRY(const bool split, json_bool(json, "split", where_, true));
  if (replacement.empty()) return fail(Code::bad_file, where_, "'replacement'", "a character", "an empty text");
  if (scheme != "always" && scheme != "first" && scheme != "never") return unsupported("prepend_scheme", scheme);
  out_.pre_tokenizer.add_metaspace(replacement,
                                   scheme == "always"  ? PrependScheme::always
                                   : scheme == "first" ? PrependScheme::first
                                                       : PrependScheme::never,
                                   split);
  return {};
}

Status JsonParts::pre_tokenizer(const Json* json, int depth) {
  if (!json || json->is_null()) return {};
  WEFT_TRY(const std::string type, type_of(*json, "pre_tokenizer"));
  PreTokenizer& out = out_.pre_tokenizer;
  if (out_.pre.empty() || out_.pre == "Sequence") out_.pre = type;
  auto split = [&](std::string_view text, SplitBehavior how, bool inverted = false) {
    return out.add_split(text, how, inverted, where_);
  };
  if (type == "Sequence")
    return each(*json, "pretokenizers", depth, [&](const Json& item) { return pre_tokenizer(&item, depth + 1); });
  if (type == "ByteLevel") {
    byte_level_ = true;
    WEFT_TRY(const bool space, json_bool(*json, "add_prefix_space", where_, true));
    WEFT_TRY(const bool regex, json_bool(*json, "use_regex", where_, true));
    if (space) out.add_prefix_space();
    return regex ? split(kGpt2Pattern, SplitBehavior::isolated) : Status();
  }
  if (type == "Split") {
    WEFT_TRY(const std::string source, pattern(*json, nullptr, nullptr));
    WEFT_TRY(const SplitBehavior how, behavior(*json, ""));
    WEFT_TRY(const bool inverted, json_bool(*json, "invert", where_, false));
    return split(source, how, inverted);
  }
  if (type == "Metaspace") return metaspace(*json);
  if (type == "Whitespace") return split(R"(\w+|[^\w\s]+)", SplitBehavior::removed, true);
  if (type == "WhitespaceSplit") return split(R"(\s+)", SplitBehavior::removed);
  if (type == "BertPreTokenizer") return out.add_bert(where_);
  if (type == "Digits") {
    WEFT_TRY(const bool single, json_bool(*json, "individual_digits", where_, false));
    return split(single ? R"(\p{N})" : R"(\p{N}+)", SplitBehavior::isolated);
  }
  if (type == "Punctuation") {
    WEFT_TRY(const SplitBehavior how, behavior(*json, "Isolated"));
    return split(R"([\p{P}$+<=>^`|~])", how);
  }
  if (type == "CharDelimiterSplit") {
    WEFT_TRY(const std::string delimiter, json_string(*json, "delimiter", where_, ""));
    return split(literal_pattern(delimiter), SplitBehavior::removed);
  }
  return unsupported("pre_tokenizer", type);
}

Status JsonParts::decoder(const Json* json) {
  if (json && !json->is_null()) return decoder_step(*json, 0);
  out_.decoding.words = out_.decoding.strip_first = true;  // the tokens with a space between them
  return {};
}

Status JsonParts::decoder_step(const Json& json, int depth) {
  WEFT_TRY(const std::string type, type_of(json, "decoder"));
  auto& how = out_.decoding;
  if (type == "Sequence")
    return each(json, "decoders", depth, [&](const Json& item) { return decoder_step(item, depth + 1); });
  if (type == "Fuse") return {};
  if (type == "ByteLevel") return how.byte_level = true, Status();
  if (type == "ByteFallback") return how.byte_tokens = true, Status();
  if (type == "Replace") {
    std::string from;
    WEFT_TRY(const std::string source, pattern(json, nullptr, &from));
    WEFT_TRY(const std::string to, json_string(json, "content", where_, ""));
    if (to != " " || from.empty()) return unsupported("decoder Replace to", to);
    return how.space = from, Status();
  }
  if (type == "Metaspace") {
    WEFT_TRY(how.space, json_string(json, "replacement", where_, kSpaceMark));
    WEFT_TRY(const bool prefix, json_bool(json, "add_prefix_space", where_, true));
    WEFT_TRY(const std::string scheme, json_string(json, "prepend_scheme", where_, prefix ? "always" : "never"));
    return how.strip_first = scheme != "never", Status();
  }
  if (type == "Strip") {
    WEFT_TRY(const std::string content, json_string(json, "content", where_, " "));
    const Json* start = json_member(json, "start");
    const Json* stop = json_member(json, "stop");
    auto is = [](const Json* number, int value) { return number && number->is_number_integer() && *number == value; };
    if (content != " " || !is(start, 1) || !is(stop, 0)) return unsupported("decoder Strip of", dump_json(json));
    return how.strip_first = true, Status();
  }
  if (type == "WordPiece") {
    WEFT_TRY(how.continuing, json_string(json, "prefix", where_, "##"));
    WEFT_TRY(how.cleanup, json_bool(json, "cleanup", where_, true));
    return how.words = how.strip_first = true, Status();
  }
  if (type == "BPEDecoder") {
    WEFT_TRY(how.end_suffix, json_string(json, "suffix", where_, "</w>"));
    return how.strip_last = true, Status();
  }
  return unsupported("decoder", type);
}

Status JsonParts::special(std::string_view text, std::vector<int32_t>& ids) const {
  const int32_t id = vocab_.find(text);
  if (id < 0)
    return fail(Code::bad_file, where_, "post_processor", "tokens of the vocabulary", "'" + std::string(text) + "'");
  ids.push_back(id);
  return {};
}

Status JsonParts::post_processor(const Json* json, int depth) {
  if (!json || json->is_null()) return {};
  WEFT_TRY(const std::string type, type_of(*json, "post_processor"));
  if (type == "Sequence")
    return each(*json, "processors", depth, [&](const Json& item) { return post_processor(&item, depth + 1); });
  if (type == "ByteLevel") return {};  // moves offsets only
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    for (auto [key, ids] : {std::pair{"cls", &out_.prefix}, std::pair{"sep", &out_.suffix}}) {
      const Json* pair = json_member(*json, key);
      if (!pair || !pair->is_array() || pair->empty() || !(*pair)[0].is_string())
        return wrong_type(where_, key, "[token, id]", pair ? *pair : Json());
      WEFT_CHECK_OK(special((*pair)[0].get_ref<const std::string&>(), *ids));
    }
    return {};
  }
  if (type != "TemplateProcessing") return unsupported("post_processor", type);
  bool after = false;
  return each(*json, "single", depth, [&](const Json& item) -> Status {
    if (json_member(item, "Sequence")) return after = true, Status();
    const Json* token = json_member(item, "SpecialToken");
    const Json* id = token ? json_member(*token, "id") : nullptr;
    if (!id || !id->is_string()) return wrong_type(where_, "single", "Sequence or SpecialToken", item);
    // The template's own table may map the name to several tokens.
    const Json* table = json_member(*json, "special_tokens");
    const Json* row = table ? json_member(*table, id->get_ref<const std::string&>()) : nullptr;
    const Json* tokens = row ? json_member(*row, "tokens") : nullptr;
    std::vector<int32_t>& ids = after ? out_.suffix : out_.prefix;
    if (!tokens || !tokens->is_array()) return special(id->get_ref<const std::string&>(), ids);
    for (const Json& text : *tokens) {
      if (!text.is_string()) return wrong_type(where_, "tokens", "texts", text);
      WEFT_CHECK_OK(special(text.get_ref<const std::string&>(), ids));
    }
    return {};
  });
}

}  // namespace weft
