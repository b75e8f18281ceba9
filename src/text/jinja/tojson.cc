// The tojson filter as Hugging Face defines it: Python's json.dumps with ensure_ascii off unless asked for.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/utf8.h"
#include "text/jinja/interp.h"

namespace weft::jinja {

namespace {

class Dumper {
 public:
  Dumper(Interp& interp, bool ascii, bool sorted) : interp_(interp), ascii_(ascii), sorted_(sorted) {}

  std::string item_separator = ", ", key_separator = ": ", indent;
  bool indented = false;
  std::string out;

  Done dump(const Value& value, int depth) {
    if (depth > kValueDepth) return raise("a value is nested too deep for tojson", Code::limit);
    JINJA_CHECK(interp_.spend(1));
    JINJA_CHECK(interp_.check_size(out.size()));
    switch (value.kind()) {
      case Kind::none:
        out += "null";
        return {};
      case Kind::boolean:
        out += value.as_bool() ? "true" : "false";
        return {};
      case Kind::integer:
        out += std::to_string(value.as_int());
        return {};
      case Kind::real:
        out += number(value.as_real());
        return {};
      case Kind::string:
        quote(value.text());
        return {};
      case Kind::list:
      case Kind::tuple:
        return dump_list(value.items(), depth);
      case Kind::dict:
        return dump_dict(value.dict(), depth);
      default:
        return raise("Object of type " + std::string(type_name(value)) + " is not JSON serializable");
    }
  }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return repr_real(value);
  }
  void newline(int depth) {
    if (!indented) return;
    out += '\n';
    for (int i = 0; i < depth; ++i) out += indent;
  }
  Done dump_list(const std::vector<Value>& items, int depth) {
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) out += item_separator;
      newline(depth + 1);
      JINJA_CHECK(dump(items[i], depth + 1));
    }
    if (!items.empty()) newline(depth);
    out += ']';
    return {};
  }
  Done dump_dict(const Dict& dict, int depth) {
    std::vector<std::pair<Value, Value>> items = dict.items;
    if (sorted_) JINJA_CHECK(sort_by_key(interp_, items, false));
    out += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) out += item_separator;
      newline(depth + 1);
      const Value& key = items[i].first;
      switch (key.kind()) {
        case Kind::string:
          quote(key.text());
          break;
        case Kind::none:
          out += "\"null\"";
          break;
        case Kind::boolean:
          out += key.as_bool() ? "\"true\"" : "\"false\"";
          break;
        case Kind::integer:
          out += '"' + std::to_string(key.as_int()) + '"';
          break;
        case Kind::real:
          out += '"' + number(key.as_real()) + '"';
          break;
        default:
          return raise("keys must be str, int, float, bool or None, not " + std::string(type_name(key)));
      }
      out += key_separator;
      JINJA_CHECK(dump(items[i].second, depth + 1));
    }
    if (!items.empty()) newline(depth);
    out += '}';
    return {};
  }
  void quote(std::string_view text) {
    out += '"';
    char buffer[16];
    for (size_t at = 0; at < text.size();) {
      auto c = static_cast<unsigned char>(text[at]);
      if (c == '"' || c == '\\') {
        out += '\\';
        out += static_cast<char>(c);
      } else if (c < 0x20) {
        constexpr std::string_view kFrom = "\n\r\t\b\f", kTo = "nrtbf";
        if (size_t simple = kFrom.find(static_cast<char>(c)); simple != kFrom.npos) {
          out += '\\';
          out += kTo[simple];
        } else {
          std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
          out += buffer;
        }
      } else if (c >= 0x80 && ascii_) {
        Utf8Char wide = decode_utf8(text, at);
        auto code = static_cast<unsigned>(wide.code);
        if (code < 0x10000) {
          std::snprintf(buffer, sizeof buffer, "\\u%04x", code);
        } else {
          code -= 0x10000;
          std::snprintf(buffer, sizeof buffer, "\\u%04x\\u%04x", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF));
        }
        out += buffer;
        at += static_cast<size_t>(wide.size);
        continue;
      } else {
        out += static_cast<char>(c);
      }
      ++at;
    }
    out += '"';
  }

  Interp& interp_;
  bool ascii_, sorted_;
};

}  // namespace

Maybe<std::string> to_json(Interp& interp, const Value& value, const Args& args) {
  JINJA_TRY(auto bound, bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  Dumper dumper(interp, truthy(bound[0]), truthy(bound[3]));
  if (const Value& indent = bound[1]; !indent.none_or_missing()) {
    dumper.indented = true;
    dumper.item_separator = ",";
    if (indent.is(Kind::string)) {
      if (indent.text().size() > 1000) return raise("tojson with an indent above 1000", Code::limit);
      dumper.indent = indent.text();
    } else if (indent.whole()) {
      if (indent.as_int() > 1000) return raise("tojson with an indent above 1000", Code::limit);
      dumper.indent.assign(static_cast<size_t>(std::max<int64_t>(0, indent.as_int())), ' ');
    } else {
      return raise("tojson: indent must be an integer or a string, not " + std::string(type_name(indent)));
    }
  }
  if (const Value& separators = bound[2]; !separators.none_or_missing()) {
    JINJA_TRY(std::vector<Value> both, interp.iterate(separators));
    if (both.size() != 2 || !both[0].is(Kind::string) || !both[1].is(Kind::string)) {
      return raise("tojson: separators must be two strings");
    }
    dumper.item_separator = both[0].text();
    dumper.key_separator = both[1].text();
  }
  JINJA_CHECK(dumper.dump(value, 0));
  return std::move(dumper.out);
}

}  // namespace weft::jinja
