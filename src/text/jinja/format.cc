// Formatting: format specifications, the % operator and str.format.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "text/jinja/interp.h"
#include "text/jinja/numbers.h"

namespace weft::jinja {

namespace {

constexpr int64_t kMaxWidth = 10000;

struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';
  bool alternate = false;
  char grouping = '\0';
  int64_t width = 0;
  int64_t precision = -1;
  char type = '\0';
};

Maybe<int64_t> read_number(std::string_view text, size_t& at) {
  int64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + (text[at] - '0');
    if (value > kMaxWidth) return raise("a width or precision above " + std::to_string(kMaxWidth), Code::limit);
  }
  return value;
}

Maybe<Spec> parse_spec(std::string_view text) {
  Spec spec;
  size_t at = 0;
  auto aligns = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!text.empty()) {
    auto first = static_cast<size_t>(decode_utf8(text, 0).size);
    if (first < text.size() && aligns(text[first])) {
      spec.fill = text.substr(0, first);
      spec.align = text[first];
      at = first + 1;
    } else if (aligns(text[0])) {
      spec.align = text[at++];
    }
  }
  auto skip = [&](char c) { return at < text.size() && text[at] == c ? (++at, true) : false; };
  if (at < text.size() && (text[at] == '+' || text[at] == '-' || text[at] == ' ')) spec.sign = text[at++];
  spec.alternate = skip('#');
  if (skip('0') && spec.align == '\0') {
    spec.fill = "0";
    spec.align = '=';
  }
  JINJA_TRY(spec.width, read_number(text, at));
  if (at < text.size() && (text[at] == ',' || text[at] == '_')) spec.grouping = text[at++];
  if (skip('.')) {
    size_t before = at;
    JINJA_TRY(spec.precision, read_number(text, at));
    if (at == before) return raise("Format specifier missing precision");
  }
  if (at < text.size()) spec.type = text[at++];
  if (at != text.size()) return raise("Invalid format specifier " + repr_text(text));
  return spec;
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += static_cast<size_t>(decode_utf8(text, at).size)) ++count;
  return count;
}

// `prefix` is a sign or 0x, before which padding of kind '=' does not go.
std::string pad(const Spec& spec, const std::string& prefix, const std::string& body, char otherwise) {
  size_t size = count_characters(prefix) + count_characters(body), width = static_cast<size_t>(spec.width);
  size_t missing = width > size ? width - size : 0;
  auto filler = [&](size_t count) {
    std::string out;
    while (count-- > 0) out += spec.fill;
    return out;
  };
  switch (spec.align ? spec.align : otherwise) {
    case '<':
      return prefix + body + filler(missing);
    case '^':
      return filler(missing / 2) + prefix + body + filler(missing - missing / 2);
    case '=':
      return prefix + filler(missing) + body;
    default:
      return filler(missing) + prefix + body;
  }
}

std::string group_digits(const std::string& digits, char separator, size_t every = 3) {
  if (!separator) return digits;
  size_t whole = digits.find_first_of(".e");
  if (whole == digits.npos) whole = digits.size();
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i < whole && (whole - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string sign_of(bool negative, char mode) {
  if (negative) return "-";
  return mode == '+' || mode == ' ' ? std::string(1, mode) : "";
}

std::string real_body(double value, const Spec& spec) {
  bool upper = spec.type >= 'A' && spec.type <= 'Z';
  if (std::isnan(value)) return upper ? "NAN" : "nan";
  if (std::isinf(value)) return upper ? "INF" : "inf";
  if (spec.type == '%')
    return print_decimal(value * 100, 'f', spec.precision < 0 ? 6 : static_cast<int>(spec.precision)) + "%";
  if (spec.type == '\0') {
    if (spec.precision < 0) return repr_real(value);
    std::string text = print_decimal(value, 'g', static_cast<int>(std::max<int64_t>(1, spec.precision)));
    return text.find_first_of(".e") == text.npos ? text + ".0" : text;
  }
  char type = spec.type == 'n' ? 'g' : spec.type;
  return print_decimal(value, type, spec.precision < 0 ? 6 : static_cast<int>(spec.precision));
}

std::string digits_of(uint64_t value, int base, bool upper) {
  char buffer[72];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value, base).ptr;
  std::string out(buffer, end);
  if (upper) {
    for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  return out;
}

Maybe<std::string> format_whole(int64_t value, const Spec& spec) {
  if (spec.precision >= 0) return raise("Precision not allowed in integer format specifier");
  uint64_t magnitude = value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string prefix = sign_of(value < 0, spec.sign), body;
  char low = static_cast<char>(spec.type | 0x20);
  if (spec.type == 'c') {
    if (value < 0 || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
      return raise("%c arg not in range(0x110000)");
    append_utf8(body, static_cast<char32_t>(value));
    return pad(spec, "", body, '<');
  }
  int base = low == 'x' ? 16 : low == 'o' ? 8 : low == 'b' ? 2 : 10;
  body = group_digits(digits_of(magnitude, base, spec.type == 'X'), spec.grouping, base == 10 ? 3 : 4);
  if (spec.alternate && base != 10) prefix += std::string("0") + spec.type;
  return pad(spec, prefix, body, '>');
}

std::string_view cut_characters(std::string_view text, int64_t count) {
  size_t at = 0;
  for (; at < text.size() && count > 0; --count) at += static_cast<size_t>(decode_utf8(text, at).size);
  return text.substr(0, at);
}

}  // namespace

Maybe<std::string> format_value(const Value& value, std::string_view text) {
  if (text.empty()) return str(value);
  JINJA_TRY(Spec spec, parse_spec(text));
  std::string_view types = value.whole() ? "bcdoxXneEfFgG%" : value.is(Kind::real) ? "neEfFgG%" : "s";
  if (!value.number() && !value.is(Kind::string)) {
    return raise("unsupported format string passed to " + std::string(type_name(value)) + ".__format__");
  }
  if (spec.type && types.find(spec.type) == types.npos) {
    return raise(std::string("Unknown format code '") + spec.type + "' for object of type '" +
                 std::string(type_name(value)) + "'");
  }
  if (value.is(Kind::string)) {
    if (spec.align == '=') return raise("'=' alignment not allowed in string format specifier");
    if (spec.sign != '-') return raise("Sign not allowed in string format specifier");
    std::string_view body = value.text();
    if (spec.precision >= 0) body = cut_characters(body, spec.precision);
    return pad(spec, "", std::string(body), '<');
  }
  constexpr std::string_view kReal = "eEfFgG%";
  if (value.whole() && (!spec.type || kReal.find(spec.type) == kReal.npos)) {
    if (value.is(Kind::boolean) && !spec.type) return pad(spec, "", value.as_bool() ? "True" : "False", '<');
    return format_whole(value.as_int(), spec);
  }
  double number = value.as_real();
  bool negative = std::signbit(number) && !std::isnan(number);
  return pad(spec, sign_of(negative, spec.sign), group_digits(real_body(std::fabs(number), spec), spec.grouping), '>');
}

namespace {

// One conversion of the % operator, after its flags, width and precision were read into `spec`.
Maybe<std::string> convert(const Value& value, Spec spec, bool left, bool zero) {
  if (left) spec.align = '<';
  char type = spec.type;
  if (type == 's' || type == 'r' || type == 'a') {
    JINJA_TRY(std::string text, type == 's' ? str(value) : repr(value));
    spec.fill = " ";
    return pad(spec, "", std::string(spec.precision >= 0 ? cut_characters(text, spec.precision) : text), '>');
  }
  if (type == 'c') {
    if (value.is(Kind::string) && text_length(value) == 1) return pad(spec, "", value.text(), '>');
    if (!value.whole()) return raise("%c requires int or char");
    return format_whole(value.as_int(), spec);
  }
  constexpr std::string_view kWhole = "diuxXo", kReal = "eEfFgG";
  bool whole = kWhole.find(type) != kWhole.npos;
  if (!whole && kReal.find(type) == kReal.npos) {
    return raise(std::string("unsupported format character '") + type + "'");
  }
  if (value.undefined()) return raise(value.as<Undefined>().message);
  if (!value.number()) {
    return raise(whole ? std::string("%") + type + " format: a real number is required, not " +
                             std::string(type_name(value))
                       : "must be real number, not " + std::string(type_name(value)));
  }
  if (zero && !left) {
    spec.fill = "0";
    spec.align = '=';
  }
  if (!whole) {
    double number = value.as_real();
    bool negative = std::signbit(number) && !std::isnan(number);
    return pad(spec, sign_of(negative, spec.sign), real_body(std::fabs(number), spec), '>');
  }
  int64_t number = value.as_int();
  if (value.is(Kind::real)) {
    double real = std::trunc(value.as_real());
    if (type != 'd' && type != 'i' && type != 'u')
      return raise(std::string("%") + type + " format: an integer is required, not float");
    if (!(std::fabs(real) < 9.2e18)) return raise("integer overflow: numbers have 64 bits");
    number = static_cast<int64_t>(real);
  }
  int64_t digits = std::exchange(spec.precision, -1);
  if (type == 'd' || type == 'i' || type == 'u') spec.type = 'd';
  if (digits > 0) {  // at least this many digits
    Spec bare;
    bare.type = spec.type;
    if (number == INT64_MIN) return raise("integer overflow: numbers have 64 bits");
    JINJA_TRY(std::string body, format_whole(number < 0 ? -number : number, bare));
    while (body.size() < static_cast<size_t>(digits)) body.insert(0, "0");
    return pad(spec, sign_of(number < 0, spec.sign), body, '>');
  }
  return format_whole(number, spec);
}

}  // namespace

Maybe<std::string> format_percent(Interp& interp, const Value& format, const Value& values) {
  const std::string& text = format.text();
  bool markup = format.as<String>().markup;
  std::string out;
  size_t used = 0;
  bool named = false;
  auto next = [&]() -> Maybe<Value> {
    if (!values.is(Kind::tuple)) {
      if (used++ == 0) return values;
      return raise("not enough arguments for format string");
    }
    if (used >= values.items().size()) return raise("not enough arguments for format string");
    return values.items()[used++];
  };
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '%') {
      out += text[at++];
      continue;
    }
    if (++at == text.size()) return raise("incomplete format");
    Spec spec;
    bool left = false, zero = false;
    Value value;
    if (text[at] == '(') {
      size_t open = at + 1, depth = 1;
      for (++at; at < text.size() && depth > 0; ++at) depth += text[at] == '(' ? 1 : text[at] == ')' ? size_t(-1) : 0;
      if (depth > 0) return raise("incomplete format key");
      if (!values.is(Kind::dict)) return raise("format requires a mapping");
      std::string key = text.substr(open, at - 1 - open);
      const Value* found = values.dict().find(key);
      if (!found) return raise("the format's mapping has no key " + repr_text(key));
      value = *found;
      named = true;
    }
    for (bool flag = true; flag && at < text.size();) {
      switch (text[at]) {
        case '-':
          left = true;
          break;
        case '0':
          zero = true;
          break;
        case '+':
          spec.sign = '+';
          break;
        case ' ':
          spec.sign = spec.sign == '+' ? '+' : ' ';
          break;
        case '#':
          spec.alternate = true;
          break;
        default:
          flag = false;
      }
      at += flag ? 1 : 0;
    }
    auto number = [&](int64_t& into) -> Done {
      if (at < text.size() && text[at] == '*') {
        JINJA_TRY(Value given, next());
        if (!given.whole()) return raise("* wants int");
        into = given.as_int();
        if (into < 0) left = true;
        into = into < 0 ? (into == INT64_MIN ? kMaxWidth + 1 : -into) : into;
        if (into > kMaxWidth) return raise("a width or precision above " + std::to_string(kMaxWidth), Code::limit);
        ++at;
        return {};
      }
      JINJA_TRY(into, read_number(text, at));
      return {};
    };
    JINJA_CHECK(number(spec.width));
    if (at < text.size() && text[at] == '.') {
      ++at;
      JINJA_CHECK(number(spec.precision));
    }
    while (at < text.size() && (text[at] == 'h' || text[at] == 'l' || text[at] == 'L')) ++at;
    if (at == text.size()) return raise("incomplete format");
    spec.type = text[at++];
    if (spec.type == '%') {
      out += '%';
      continue;
    }
    if (!value.given()) {
      JINJA_TRY(value, next());
    }
    JINJA_TRY(std::string piece, convert(value, spec, left, zero));
    if (markup && !(value.is(Kind::string) && value.as<String>().markup)) piece = escape_html(piece);
    JINJA_CHECK(interp.check_size(out.size() + piece.size()));
    out += piece;
  }
  bool all = values.is(Kind::tuple) ? used >= values.items().size()
                                    : used > 0 || named || values.is(Kind::dict) || values.is(Kind::list) ||
                                          values.is(Kind::range) || values.undefined();
  if (!all) return raise("not all arguments converted during string formatting");
  return out;
}

namespace {

// The fields of str.format: {}, {0}, {name}, {a.b[c]!r:>10}. `depth` 1 is a specification, in which fields may stand
// too.
class FieldFormatter {
 public:
  FieldFormatter(Interp& interp, const Args& args) : interp_(interp), args_(args) {}

  Maybe<std::string> run(std::string_view format, int depth) {
    if (depth > 1) return raise("Max string recursion exceeded");
    std::string out;
    for (size_t at = 0; at < format.size();) {
      char c = format[at++];
      if (c == '}') {
        if (at == format.size() || format[at] != '}') return raise("Single '}' encountered in format string");
        ++at;
      } else if (c == '{' && at < format.size() && format[at] == '{') {
        ++at;
      } else if (c == '{') {
        size_t end = at, open = 1;
        for (; end < format.size() && open > 0; ++end)
          open += format[end] == '{' ? 1 : format[end] == '}' ? size_t(-1) : 0;
        if (open > 0)
          return raise(at == format.size() ? "Single '{' encountered in format string"
                                           : "expected '}' before end of string");
        JINJA_TRY(std::string piece, field(format.substr(at, end - 1 - at), depth));
        JINJA_CHECK(interp_.check_size(out.size() + piece.size()));
        out += piece;
        at = end;
        continue;
      }
      out += c;
    }
    return out;
  }

 private:
  Maybe<std::string> field(std::string_view body, int depth) {
    size_t name_end = 0;
    for (bool bracket = false; name_end < body.size(); ++name_end) {
      char c = body[name_end];
      if (c == '[') bracket = true;
      if (c == ']') bracket = false;
      if (!bracket && (c == '!' || c == ':')) break;
    }
    JINJA_TRY(Value value, look_up(body.substr(0, name_end)));
    std::string_view rest = body.substr(name_end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        return raise("expected ':' after conversion specifier");
      char kind = rest[1];
      if (kind != 's' && kind != 'r' && kind != 'a') return raise(std::string("Unknown conversion specifier ") + kind);
      JINJA_TRY(std::string text, kind == 's' ? str(value) : repr(value));
      value = interp_.heap().string(std::move(text));
      rest.remove_prefix(2);
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    JINJA_TRY(std::string spec, run(rest, depth + 1));
    return format_value(value, spec);
  }

  Maybe<Value> look_up(std::string_view path) {
    size_t end = std::min(path.find('.'), path.find('['));
    std::string_view first = path.substr(0, end);
    Value value;
    size_t index = 0;
    bool numeric = !first.empty() && first.find_first_not_of("0123456789") == first.npos;
    if (first.empty() || numeric) {
      if (numeric == automatic_ && counted_) return raise("cannot switch between manual and automatic field numbering");
      automatic_ = !numeric;
      counted_ = true;
      index = automatic_ ? next_++ : 0;
      if (numeric && std::from_chars(first.data(), first.data() + first.size(), index).ec != std::errc())
        index = SIZE_MAX;
      if (index >= args_.positional.size())
        return raise("Replacement index " + std::string(first) + " out of range for positional args tuple");
      value = args_.positional[index];
    } else {
      for (const auto& [name, each] : args_.named) {
        if (name == first) value = each;
      }
      if (!value.given()) return raise("str.format has no argument " + repr_text(first));
    }
    std::string_view rest = end == path.npos ? std::string_view() : path.substr(end);
    while (!rest.empty()) {
      if (rest[0] == '.') {
        end = std::min(rest.find('.', 1), rest.find('[', 1));
        std::string_view name = rest.substr(1, end == rest.npos ? end : end - 1);
        if (name.empty()) return raise("Empty attribute in format string");
        JINJA_TRY(value, interp_.attribute(value, name));
        rest = end == rest.npos ? std::string_view() : rest.substr(end);
        continue;
      }
      if (rest[0] != '[') return raise("Only '.' or '[' may follow ']' in format field specifier");
      end = rest.find(']');
      if (end == rest.npos) return raise("Missing ']' in format string");
      std::string_view key = rest.substr(1, end - 1);
      if (key.empty()) return raise("Empty attribute in format string");
      int64_t number = 0;
      bool whole = key.find_first_not_of("0123456789") == key.npos &&
                   std::from_chars(key.data(), key.data() + key.size(), number).ec == std::errc();
      JINJA_TRY(value, interp_.item(value, whole ? Value::integer(number) : interp_.heap().string(std::string(key))));
      rest = rest.substr(end + 1);
    }
    return value;
  }

  Interp& interp_;
  const Args& args_;
  size_t next_ = 0;
  bool automatic_ = false, counted_ = false;
};

}  // namespace

Maybe<std::string> format_fields(Interp& interp, std::string_view format, const Args& args) {
  return FieldFormatter(interp, args).run(format, 0);
}

}  // namespace weft::jinja
