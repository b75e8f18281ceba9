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

// What the parser calls, for either type of object: one parser in the program serves both.
using Events = nlohmann::json_sax<OrderedJson>;

template <class J>
class Builder final : public Events {
 public:
  J value;

  bool null() override { return build_.null(); }
  bool boolean(bool v) override { return build_.boolean(v); }
  bool number_integer(int64_t v) override { return build_.number_integer(v); }
  bool number_unsigned(uint64_t v) override { return build_.number_unsigned(v); }
  bool number_float(double v, const std::string& text) override { return build_.number_float(v, text); }
  bool string(std::string& v) override { return build_.string(v); }
  bool binary(binary_t& v) override { return build_.binary(v); }
  bool start_object(size_t size) override { return build_.start_object(size); }
  bool key(std::string& v) override { return build_.key(v); }
  bool end_object() override { return build_.end_object(); }
  bool start_array(size_t size) override { return build_.start_array(size); }
  bool end_array() override { return build_.end_array(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  nlohmann::detail::json_sax_dom_parser<J> build_{value, /*allow_exceptions=*/false};
};

Status parse(std::string_view text, const std::string& where, Events& events) {
  if (too_deep(text)) return fail(Code::limit, where, "JSON nesting", "at most 512 levels", "more");
  if (!OrderedJson::sax_parse(text.begin(), text.end(), &events))
    return fail(Code::bad_file, where, "JSON", "a well-formed document",
                text.empty() ? "an empty text" : "a syntax error");
  return {};
}

template <class J>
Result<J> parse(std::string_view text, const std::string& where) {
  Builder<J> builder;
  WEFT_CHECK_OK(parse(text, where, builder));
  return std::move(builder.value);
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where) { return parse<Json>(text, where); }
Result<OrderedJson> parse_ordered_json(std::string_view text, const std::string& where) {
  return parse<OrderedJson>(text, where);
}

}  // namespace weft
