// Filters whose result is a text or a number.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/utf8.h"
#include "text/jinja/filters.h"
#include "text/jinja/numbers.h"
#include "text/jinja/unicode.h"

namespace weft::jinja {

namespace {

bool markup(const Value& value) { return value.is(Kind::string) && value.as<String>().markup; }

// Calls a method of the text that `self` prints as.
Maybe<Value> via_method(Interp& interp, const Value& self, const Args& args, std::string_view name) {
  Value text = self;
  if (!self.is(Kind::string)) {
    JINJA_TRY(std::string printed, str(self));
    JINJA_TRY(text, interp.new_string(std::move(printed)));
  }
  return find_method(text, name)->call(interp, text, args);
}

Maybe<Value> upper(Interp& interp, const Value& self, const Args& args) {
  return via_method(interp, self, args, "upper");
}
Maybe<Value> lower(Interp& interp, const Value& self, const Args& args) {
  return via_method(interp, self, args, "lower");
}
Maybe<Value> capitalize(Interp& interp, const Value& self, const Args& args) {
  return via_method(interp, self, args, "capitalize");
}
Maybe<Value> trim(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("trim", args, {"chars"}));
  Args strip;
  if (bound[0].given()) strip.positional.push_back(bound[0]);
  return via_method(interp, self, strip, "strip");
}
Maybe<Value> center(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("center", args, {"width"}));
  Args width;
  width.positional.push_back(bound[0].given() ? bound[0] : Value::integer(80));
  return via_method(interp, self, width, "center");
}

Maybe<Value> title(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("title", args, {}));
  JINJA_TRY(std::string text, str(self));
  std::string out, word;
  auto flush = [&] {
    if (word.empty()) return;
    auto first = static_cast<size_t>(decode_utf8(word, 0).size);
    out += to_upper(word.substr(0, first)) + to_lower(std::string_view(word).substr(first));
    word.clear();
  };
  bool between = false;
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    bool separator = is_space(c.code) || std::u32string_view(U"-({[<").find(c.code) != std::u32string_view::npos;
    if (separator != between) flush();
    between = separator;
    word += text.substr(at, static_cast<size_t>(c.size));
    at += static_cast<size_t>(c.size);
  }
  flush();
  return interp.new_string(std::move(out), markup(self));
}

Maybe<Value> replace(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("replace", args, {"old", "new", "count"}, 2));
  JINJA_TRY(std::string text, str(self));
  JINJA_TRY(std::string old, str(bound[0]));
  JINJA_TRY(std::string fresh, str(bound[1]));
  Args method;
  method.positional = {interp.heap().string(std::move(old)), interp.heap().string(std::move(fresh))};
  if (!bound[2].none_or_missing()) method.positional.push_back(bound[2]);
  Value plain = interp.heap().string(std::move(text));
  return find_method(plain, "replace")->call(interp, plain, method);
}

Maybe<Value> string(Interp& interp, const Value& self, const Args&) {
  if (self.is(Kind::string)) return self;
  JINJA_TRY(std::string text, str(self));
  return interp.new_string(std::move(text));
}
Maybe<Value> safe(Interp& interp, const Value& self, const Args&) {
  JINJA_TRY(std::string text, str(self));
  return interp.new_string(std::move(text), true);
}
Maybe<Value> force_escape(Interp& interp, const Value& self, const Args&) {
  JINJA_TRY(std::string text, str(self));
  return interp.new_string(escape_html(text), true);
}
Maybe<Value> escape(Interp& interp, const Value& self, const Args& args) {
  return markup(self) ? Maybe<Value>(self) : force_escape(interp, self, args);
}

Maybe<Value> indent(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("indent", args, {"width", "first", "blank"}));
  if (!self.is(Kind::string)) return interp.binary(Op::add, self, interp.heap().string("\n"));  // fails as Python does
  std::string by(4, ' ');
  if (bound[0].is(Kind::string)) {
    by = bound[0].text();
  } else if (bound[0].given()) {
    if (!bound[0].whole()) return raise("indent: width must be an integer or a string");
    if (bound[0].as_int() > 10000) return raise("indent by more than 10000", Code::limit);
    by.assign(static_cast<size_t>(std::max<int64_t>(0, bound[0].as_int())), ' ');
  }
  bool blank = truthy(bound[2]), first = truthy(bound[1]);
  Args none;
  Value text = interp.heap().string(self.text() + "\n", markup(self));
  JINJA_TRY(Value lines, find_method(text, "splitlines")->call(interp, text, none));
  std::string out = first ? by : "";
  bool begun = false;
  for (const Value& line : lines.items()) {
    if (begun) out += "\n";
    if (begun && (blank || !line.text().empty())) out += by;
    begun = true;
    JINJA_CHECK(interp.check_size(out.size() + line.text().size()));
    out += line.text();
  }
  return interp.new_string(std::move(out), markup(self));
}

Maybe<Value> truncate(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("truncate", args, {"length", "killwords", "end", "leeway"}));
  if (!self.is(Kind::string)) return raise("truncate needs a string, not " + std::string(type_name(self)));
  int64_t length = bound[0].whole() ? bound[0].as_int() : 255, leeway = bound[3].whole() ? bound[3].as_int() : 5;
  Value end = bound[2].is(Kind::string) ? bound[2] : interp.heap().string("...");
  auto end_length = static_cast<int64_t>(text_length(end));
  if (length < end_length)
    return raise("expected length >= " + std::to_string(end_length) + ", got " + std::to_string(length));
  if (leeway < 0) return raise("expected leeway >= 0, got " + std::to_string(leeway));
  auto size = static_cast<int64_t>(text_length(self));
  if (size <= length || size - length <= leeway) return self;
  JINJA_TRY(Value head, interp.slice(self, Value::integer(0), Value::integer(length - end_length), Value::none()));
  std::string text = head.text();
  if (!truthy(bound[1])) text = text.substr(0, text.rfind(' '));
  return interp.new_string(text + end.text(), markup(self));
}

Maybe<Value> word_count(Interp&, const Value& self, const Args&) {
  JINJA_TRY(std::string text, str(self));
  int64_t count = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    bool word = is_word(c.code);
    count += word && !inside ? 1 : 0;
    inside = word;
    at += static_cast<size_t>(c.size);
  }
  return Value::integer(count);
}

Maybe<Value> format(Interp& interp, const Value& self, const Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    return raise("format cannot take positional and keyword arguments at the same time");
  }
  JINJA_TRY(Value text, string(interp, self, {}));
  Value values = interp.heap().tuple(args.positional);
  if (!args.named.empty()) {
    auto dict = interp.heap().dict();
    for (const auto& [name, value] : args.named) dict->set_text(interp.heap().string(std::string(name)), value);
    values = Value(dict);
  }
  return interp.binary(Op::mod, text, values);
}

std::string quote_url(std::string_view text, bool query) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                 c == '-' || c == '~' || (c == '/' && !query);
    if (plain) {
      out += c;
    } else if (c == ' ' && query) {
      out += '+';
    } else {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "%%%02X", static_cast<unsigned char>(c));
      out += buffer;
    }
  }
  return out;
}

Maybe<Value> url_encode(Interp& interp, const Value& self, const Args&) {
  if (self.is(Kind::string) || !(self.sequence() || self.is(Kind::dict) || self.undefined())) {
    JINJA_TRY(std::string text, str(self));
    return interp.new_string(quote_url(text, false));
  }
  std::string out;
  std::vector<Value> pairs;
  if (self.is(Kind::dict)) {
    for (const auto& [key, value] : self.dict().items) pairs.push_back(interp.heap().tuple({key, value}));
  } else {
    JINJA_TRY(pairs, interp.iterate(self));
  }
  for (const Value& pair : pairs) {
    JINJA_TRY(std::vector<Value> both, interp.iterate(pair));
    if (both.size() != 2) return raise("urlencode needs pairs");
    JINJA_TRY(std::string key, str(both[0]));
    JINJA_TRY(std::string value, str(both[1]));
    out += (out.empty() ? "" : "&") + quote_url(key, true) + "=" + quote_url(value, true);
  }
  return interp.new_string(std::move(out));
}

Maybe<Value> xml_attributes(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("xmlattr", args, {"autospace"}));
  if (!self.is(Kind::dict)) return raise("xmlattr needs a mapping, not " + std::string(type_name(self)));
  std::string out;
  for (const auto& [key, value] : self.dict().items) {
    if (value.is(Kind::none) || value.undefined()) continue;
    JINJA_TRY(std::string name, str(key));
    if (name.find_first_of(" \t\n\r\f\v/>=") != name.npos)
      return raise("Invalid character in attribute name: " + repr_text(name));
    JINJA_TRY(std::string text, str(value));
    if (!out.empty()) out += ' ';
    out += escape_html(name) + "=\"" + (markup(value) ? text : escape_html(text)) + "\"";
  }
  if (!out.empty() && (!bound[0].given() || truthy(bound[0]))) out.insert(0, " ");
  return interp.new_string(std::move(out));
}

Maybe<Value> file_size(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("filesizeformat", args, {"binary"}));
  bool binary = truthy(bound[0]);
  std::optional<double> given = self.is(Kind::string) ? parse_real(self.text()) : std::nullopt;
  if (self.number()) given = self.as_real();
  if (!given || !std::isfinite(*given)) return raise("filesizeformat needs a number");
  double bytes = *given, base = binary ? 1024 : 1000, unit = base;
  if (bytes == 1) return interp.heap().string("1 Byte");
  if (bytes < base) {
    JINJA_TRY(std::string text, format_value(Value::real(std::trunc(bytes)), ".0f"));
    return interp.new_string(text + " Bytes");
  }
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  size_t i = 0;
  for (; i + 1 < kPrefixes.size() && bytes >= unit * base; ++i) unit *= base;
  JINJA_TRY(std::string text, format_value(Value::real(bytes / unit), ".1f"));
  text += ' ';
  text += binary && i == 0 ? 'K' : kPrefixes[i];
  return interp.new_string(text + (binary ? "iB" : "B"));
}

// --- numbers -------------------------------------------------------------------------------------------------------

Maybe<Value> to_whole(Interp&, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("int", args, {"default", "base"}));
  Value otherwise = bound[0].given() ? bound[0] : Value::integer(0);
  if (self.undefined()) return raise(self.as<Undefined>().message);
  if (self.whole()) return Value::integer(self.as_int());
  std::optional<double> real;
  if (self.is(Kind::string)) {
    int64_t base = bound[1].whole() ? bound[1].as_int() : 10;
    if (base == 0 || (base >= 2 && base <= 36)) {
      if (auto whole = parse_whole(self.text(), static_cast<int>(base))) return Value::integer(*whole);
    }
    real = parse_real(self.text());
    if (real && !std::isfinite(*real)) return otherwise;
  } else if (self.is(Kind::real)) {
    real = self.as_real();
    if (std::isnan(*real)) return otherwise;
    if (std::isinf(*real)) return raise("cannot convert float infinity to integer");
  }
  if (!real) return otherwise;
  if (std::fabs(*real) >= 9.2e18) return raise("integer overflow: numbers have 64 bits");
  return Value::integer(static_cast<int64_t>(*real));
}

Maybe<Value> to_real(Interp&, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("float", args, {"default"}));
  if (self.undefined()) return raise(self.as<Undefined>().message);
  if (self.number()) return Value::real(self.as_real());
  if (self.is(Kind::string)) {
    if (auto real = parse_real(self.text())) return Value::real(*real);
  }
  return bound[0].given() ? bound[0] : Value::real(0);
}

Maybe<Value> absolute(Interp& interp, const Value& self, const Args&) {
  if (self.undefined()) return raise(self.as<Undefined>().message);
  if (self.is(Kind::real)) return Value::real(std::fabs(self.as_real()));
  if (!self.whole()) return raise("bad operand type for abs(): '" + std::string(type_name(self)) + "'");
  return self.as_int() < 0 ? interp.binary(Op::sub, Value::integer(0), self) : Value::integer(self.as_int());
}

// Rounds half to even by the number's exact decimal digits, as Python does.
Maybe<Value> round_real(double value, int64_t precision) {
  if (!std::isfinite(value) || precision > 320) return Value::real(value);
  if (precision < -310) return Value::real(std::copysign(0.0, value));
  if (precision >= 0) {
    return Value::real(parse_real(print_decimal(value, 'f', static_cast<int>(precision))).value_or(value));
  }
  double scale = std::pow(10.0, static_cast<double>(-precision));
  return Value::real(std::nearbyint(value / scale) * scale);
}

Maybe<Value> round(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("round", args, {"precision", "method"}));
  std::string method = "common";
  if (bound[1].is(Kind::string)) method = bound[1].text();
  if (method != "common" && method != "ceil" && method != "floor") return raise("method must be common, ceil or floor");
  if (self.undefined()) return raise(self.as<Undefined>().message);
  if (!self.number()) return raise("type " + std::string(type_name(self)) + " doesn't define __round__ method");
  if (bound[0].given() && !bound[0].whole()) return raise("round: precision must be an integer");
  int64_t precision = bound[0].given() ? bound[0].as_int() : 0;
  if (method == "common") {
    if (self.is(Kind::real)) return round_real(self.as_real(), precision);
    if (precision >= 0) return Value::integer(self.as_int());
    if (precision < -18) return Value::integer(0);
    int64_t scale = 1, value = self.as_int();
    for (int64_t i = precision; i < 0; ++i) scale *= 10;
    int64_t rest = ((value % scale) + scale) % scale, down = 0;
    if (__builtin_sub_overflow(value, rest, &down)) return raise("integer overflow: numbers have 64 bits");
    bool up = rest * 2 > scale || (rest * 2 == scale && (down / scale) % 2 != 0);
    return interp.binary(Op::add, Value::integer(down), Value::integer(up ? scale : 0));
  }
  JINJA_TRY(Value scale, interp.binary(Op::pow, Value::integer(10), Value::integer(precision)));
  JINJA_TRY(Value scaled, interp.binary(Op::mul, self, scale));
  double whole = method == "ceil" ? std::ceil(scaled.as_real()) : std::floor(scaled.as_real());
  if (!std::isfinite(whole)) return raise("cannot convert float to integer");
  return interp.binary(Op::div, Value::real(whole), scale);
}

Maybe<Value> json(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(std::string text, to_json(interp, self, args));
  return interp.new_string(std::move(text));
}

constexpr Filter kFilters[] = {
    {{"upper", upper}},
    {{"lower", lower}},
    {{"capitalize", capitalize}},
    {{"title", title}},
    {{"trim", trim}},
    {{"center", center}},
    {{"replace", replace}},
    {{"string", string}},
    {{"safe", safe}},
    {{"escape", escape}},
    {{"e", escape}},
    {{"forceescape", force_escape}},
    {{"indent", indent}},
    {{"truncate", truncate}},
    {{"wordcount", word_count}},
    {{"format", format}},
    {{"urlencode", url_encode}},
    {{"xmlattr", xml_attributes}},
    {{"filesizeformat", file_size}},
    {{"int", to_whole}},
    {{"float", to_real}},
    {{"abs", absolute}},
    {{"round", round}},
    {{"tojson", json}},
};

}  // namespace

std::span<const Filter> text_filters() { return kFilters; }

}  // namespace weft::jinja
