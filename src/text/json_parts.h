// The parts of a tokenizer.json around its model: normalizer, pre_tokenizer, decoder, post_processor.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "text/tokenizer_parts.h"

namespace weft {

// A member of the stated type, or the fallback where it is absent or null.
Result<bool> json_bool(const Json& value, std::string_view key, const std::string& where, bool fallback);
Result<std::string> json_string(const Json& value, std::string_view key, const std::string& where,
                                std::string_view fallback);

// Reads each part into `out`. Absent or null parts are empty ones; a kind that is not known is unsupported.
class JsonParts {
 public:
  JsonParts(const std::string& where, const Vocab& vocab, TokenizerParts& out)
      : where_(where), vocab_(vocab), out_(out) {}

  Status normalizer(const Json* json, int depth);
  Status pre_tokenizer(const Json* json, int depth);
  Status decoder(const Json* json);
  Status post_processor(const Json* json, int depth);

  bool byte_level() const { return byte_level_; }  // the pre-tokenizer or normalizer writes bytes as characters

 private:
  // The items of a Sequence, called one by one with `read`.
  template <class Read>
  Status each(const Json& json, std::string_view key, int depth, Read read);
  Result<std::string> type_of(const Json& json, std::string_view part) const;
  std::unexpected<Error> unsupported(std::string_view part, std::string_view type) const;
  // {"String": text} or {"Regex": text}, as a pattern.
  Result<std::string> pattern(const Json& json, bool* literal, std::string* text) const;
  Result<SplitBehavior> behavior(const Json& json, std::string_view fallback) const;
  Status decoder_step(const Json& json, int depth);
  Status metaspace(const Json& json);
  Status special(std::string_view text, std::vector<int32_t>& ids) const;

  const std::string& where_;
  const Vocab& vocab_;
  TokenizerParts& out_;
  bool byte_level_ = false;
};

}  // namespace weft
