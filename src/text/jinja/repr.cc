// How Python prints values: str() and repr().
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/utf8.h"
#include "text/jinja/numbers.h"
#include "text/jinja/unicode.h"
#include "text/jinja/value.h"

namespace weft::jinja {

std::string repr_text(std::string_view text) {
  char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    char buffer[12];
    if (c.code == static_cast<char32_t>(quote) || c.code == '\\') {
      out += '\\';
      out += static_cast<char>(c.code);
    } else if (c.code == '\n') {
      out += "\\n";
    } else if (c.code == '\r') {
      out += "\\r";
    } else if (c.code == '\t') {
      out += "\\t";
    } else if (!is_printable(c.code)) {
      const char* format = c.code < 0x100 ? "\\x%02x" : c.code < 0x10000 ? "\\u%04x" : "\\U%08x";
      std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned>(c.code));
      out += buffer;
    } else {
      out += text.substr(at, static_cast<size_t>(c.size));
    }
    at += static_cast<size_t>(c.size);
  }
  out += quote;
  return out;
}

// The shortest digits that read back as the same number, in Python's layout: an exponent below 1e-4 and from 1e16 on.
std::string repr_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  // 17 digits always do; texts have short numbers mostly.
  std::string digits;
  int precision = -1;
  do digits = print_decimal(value, 'e', ++precision);
  while (precision < 16 && parse_decimal(digits) != value);
  size_t e = digits.find('e');
  int exponent = 0;
  std::from_chars(digits.data() + e + (digits[e + 1] == '+' ? 2 : 1), digits.data() + digits.size(), exponent);
  if (exponent < -4 || exponent >= 16) return digits;  // printf writes at least two exponent digits too
  return print_decimal(value, 'f', std::max(1, precision - exponent));
}

namespace {

constexpr size_t kReprLimit = size_t{64} << 20;

class Printer {
 public:
  std::string out;

  Done print(const Value& value, int depth) {
    if (depth > kValueDepth) return raise("a value is nested too deep to print", Code::limit);
    if (out.size() > kReprLimit) return raise("printing a value takes more than 64 MiB", Code::limit);
    switch (value.kind()) {
      case Kind::missing:
      case Kind::undefined:
        out += "Undefined";
        return {};
      case Kind::none:
        out += "None";
        return {};
      case Kind::boolean:
        out += value.as_bool() ? "True" : "False";
        return {};
      case Kind::integer:
        out += std::to_string(value.as_int());
        return {};
      case Kind::real:
        out += repr_real(value.as_real());
        return {};
      case Kind::string:
        out += value.as<String>().markup ? "Markup(" + repr_text(value.text()) + ")" : repr_text(value.text());
        return {};
      case Kind::list:
        return print_items(value.items(), "[", "]", depth);
      case Kind::tuple:
        return print_items(value.items(), "(", value.items().size() == 1 ? ",)" : ")", depth);
      case Kind::view:
        out += value.as<Sequence>().type;
        return print_items(value.items(), "([", "])", depth);
      case Kind::range: {
        const auto& range = value.as<Sequence>();
        out += "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
        if (range.step != 1) out += ", " + std::to_string(range.step);
        out += ")";
        return {};
      }
      case Kind::dict:
        return print_dict(value.dict(), depth);
      case Kind::space:
        out += "<Namespace ";
        JINJA_CHECK(print_dict(value.dict(), depth));
        out += ">";
        return {};
      default:
        out += "<" + std::string(type_name(value)) + ">";  // Python prints an address here
        return {};
    }
  }

 private:
  Done print_items(const std::vector<Value>& items, std::string_view open, std::string_view close, int depth) {
    out += open;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i) out += ", ";
      JINJA_CHECK(print(items[i], depth + 1));
    }
    out += close;
    return {};
  }
  Done print_dict(const Dict& dict, int depth) {
    out += "{";
    for (size_t i = 0; i < dict.items.size(); ++i) {
      if (i) out += ", ";
      JINJA_CHECK(print(dict.items[i].first, depth + 1));
      out += ": ";
      JINJA_CHECK(print(dict.items[i].second, depth + 1));
    }
    out += "}";
    return {};
  }
};

}  // namespace

Maybe<std::string> repr(const Value& value) {
  Printer printer;
  JINJA_CHECK(printer.print(value, 0));
  return std::move(printer.out);
}

Maybe<std::string> str(const Value& value) {
  if (value.is(Kind::string)) return value.text();
  if (value.undefined() || !value.given()) return std::string();
  return repr(value);
}

}  // namespace weft::jinja
