#include "base/json.h"

namespace weft {
namespace {

constexpr int kMaxDepth = 512;

// Nesting is checked on the text first: cheap, and the parser then never builds a deep value.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

template <class J>
Result<J> parse(std::string_view text, const std::string& where) {
  if (too_deep(text)) return fail(Code::limit, where, "JSON nesting", "at most 512 levels", "more");
  J value = J::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded())
    return fail(Code::bad_file, where, "JSON", "a well-formed document",
                text.empty() ? "an empty text" : "a syntax error");
  return value;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where) { return parse<Json>(text, where); }
Result<OrderedJson> parse_ordered_json(std::string_view text, const std::string& where) {
  return parse<OrderedJson>(text, where);
}

}  // namespace weft
