// Python's methods of str. Positions count characters, not bytes.
#include "text/jinja/string_methods.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "text/jinja/unicode.h"

namespace weft::jinja {

namespace {

bool markup(const Value& self) { return self.as<String>().markup; }
Maybe<Value> same_kind(Interp& interp, const Value& self, std::string text) {
  return interp.new_string(std::move(text), markup(self));
}

Maybe<std::string_view> text_of(const Value& value, std::string_view method) {
  if (value.is(Kind::string)) return std::string_view(value.text());
  return raise(std::string(method) + "(): argument must be str, not " + std::string(type_name(value)));
}
Maybe<int64_t> count_of(const Value& value, int64_t otherwise) {
  if (!value.given()) return otherwise;
  if (!value.whole())
    return raise("'" + std::string(type_name(value)) + "' object cannot be interpreted as an integer");
  return value.as_int();
}

size_t byte_at(std::string_view text, int64_t characters) {
  size_t at = 0;
  while (characters-- > 0 && at < text.size()) at += static_cast<size_t>(decode_utf8(text, at).size);
  return at;
}
int64_t characters_before(std::string_view text, size_t byte) {
  int64_t count = 0;
  for (size_t at = 0; at < byte; at += static_cast<size_t>(decode_utf8(text, at).size)) ++count;
  return count;
}

// --- case and classes ----------------------------------------------------------------------------------------------

template <std::string (*kChange)(std::string_view)>
Maybe<Value> change_case(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("str method", args, {}));
  return same_kind(interp, self, kChange(self.text()));
}

template <bool (*kIs)(char32_t), bool kEmpty = false>
Maybe<Value> all_are(Interp&, const Value& self, const Args&) {
  const std::string& text = self.text();
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    if (!kIs(c.code)) return Value::boolean(false);
    at += static_cast<size_t>(c.size);
  }
  return Value::boolean(kEmpty || !text.empty());
}
bool ascii(char32_t c) { return c < 0x80; }

template <bool kUpper>
Maybe<Value> is_case(Interp&, const Value& self, const Args&) {
  const std::string& text = self.text();
  bool cased = false;
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    if (is_title(c.code) || (kUpper ? is_lower(c.code) : is_upper(c.code))) return Value::boolean(false);
    cased |= kUpper ? is_upper(c.code) : is_lower(c.code);
    at += static_cast<size_t>(c.size);
  }
  return Value::boolean(cased);
}
Maybe<Value> is_title_case(Interp&, const Value& self, const Args&) {
  const std::string& text = self.text();
  bool cased = false, inside = false;
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    bool up = is_upper(c.code) || is_title(c.code), low = is_lower(c.code);
    if ((up && inside) || (low && !inside)) return Value::boolean(false);
    inside = up || low;
    cased |= inside;
    at += static_cast<size_t>(c.size);
  }
  return Value::boolean(cased);
}
Maybe<Value> is_identifier(Interp&, const Value& self, const Args&) {
  const std::string& text = self.text();
  bool good = !text.empty() && !(text[0] >= '0' && text[0] <= '9');
  for (size_t at = 0; good && at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    good = is_word(c.code);
    at += static_cast<size_t>(c.size);
  }
  return Value::boolean(good);
}

// --- stripping, searching -------------------------------------------------------------------------------------------

template <bool kLeft, bool kRight>
Maybe<Value> strip(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("strip", args, {"*chars"}));
  std::string_view text = self.text();
  if (bound[0].none_or_missing()) {
    if (kLeft) text = strip_left(text);
    if (kRight) text = strip_right(text);
    return same_kind(interp, self, std::string(text));
  }
  JINJA_TRY(std::string_view drop, text_of(bound[0], "strip"));
  std::u32string set;
  for (size_t at = 0; at < drop.size();) {
    Utf8Char c = decode_utf8(drop, at);
    set += c.code;
    at += static_cast<size_t>(c.size);
  }
  while (kLeft && !text.empty()) {
    Utf8Char c = decode_utf8(text, 0);
    if (set.find(c.code) == set.npos) break;
    text.remove_prefix(static_cast<size_t>(c.size));
  }
  while (kRight && !text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    if (set.find(decode_utf8(text, at).code) == set.npos) break;
    text = text.substr(0, at);
  }
  return same_kind(interp, self, std::string(text));
}

template <bool kStart>
Maybe<Value> remove_affix(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("removeprefix", args, {"*affix"}, 1));
  JINJA_TRY(std::string_view affix, text_of(bound[0], kStart ? "removeprefix" : "removesuffix"));
  std::string_view text = self.text();
  if (kStart ? text.starts_with(affix) : text.ends_with(affix)) {
    text = text.substr(kStart ? affix.size() : 0, text.size() - affix.size());
  }
  return same_kind(interp, self, std::string(text));
}

// The part of the text that optional start and end positions leave, and where it begins. Nothing if start lies after
// the end of the text or of the part: there not even "" is found.
struct Window {
  std::string_view text;
  size_t begin = 0;
  bool valid = true;
};
Maybe<Window> window(const Value& self, const Value& start, const Value& end) {
  auto size = static_cast<int64_t>(text_length(self));
  JINJA_TRY(int64_t from, count_of(start.is(Kind::none) ? Value() : start, 0));
  JINJA_TRY(int64_t to, count_of(end.is(Kind::none) ? Value() : end, size));
  if (from < 0) from = from < -size ? 0 : from + size;
  if (to < 0) to = to < -size ? 0 : to + size;
  to = std::min(to, size);
  std::string_view all = self.text();
  if (from > to || from > size) return Window{{}, 0, false};
  size_t begin = byte_at(all, from);
  return Window{all.substr(begin, byte_at(all.substr(begin), to - from)), begin, true};
}

template <bool kStart>
Maybe<Value> has_affix(Interp&, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind(kStart ? "startswith" : "endswith", args, {"*affix", "*start", "*end"}, 1));
  JINJA_TRY(Window part, window(self, bound[1], bound[2]));
  std::vector<Value> choices = {bound[0]};
  if (bound[0].is(Kind::tuple)) choices = bound[0].items();
  for (const Value& choice : choices) {
    if (!choice.is(Kind::string)) {
      return raise(std::string(kStart ? "startswith" : "endswith") + " first arg must be str or a tuple of str, not " +
                   std::string(type_name(choice)));
    }
    bool holds = part.valid && (kStart ? part.text.starts_with(choice.text()) : part.text.ends_with(choice.text()));
    if (holds) return Value::boolean(true);
  }
  return Value::boolean(false);
}

template <bool kLast, bool kMust>
Maybe<Value> find(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("find", args, {"*sub", "*start", "*end"}, 1));
  JINJA_TRY(std::string_view wanted, text_of(bound[0], "find"));
  JINJA_TRY(Window part, window(self, bound[1], bound[2]));
  JINJA_CHECK(interp.spend(static_cast<int64_t>(part.text.size() / 64)));
  size_t at = !part.valid ? std::string_view::npos : kLast ? part.text.rfind(wanted) : part.text.find(wanted);
  if (at == std::string_view::npos) {
    if (kMust) return raise("substring not found");
    return Value::integer(-1);
  }
  return Value::integer(characters_before(self.text(), part.begin + at));
}

Maybe<Value> count(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("count", args, {"*sub", "*start", "*end"}, 1));
  JINJA_TRY(std::string_view wanted, text_of(bound[0], "count"));
  JINJA_TRY(Window part, window(self, bound[1], bound[2]));
  JINJA_CHECK(interp.spend(static_cast<int64_t>(part.text.size() / 64)));
  if (!part.valid) return Value::integer(0);
  if (wanted.empty()) return Value::integer(characters_before(part.text, part.text.size()) + 1);
  int64_t found = 0;
  for (size_t at = part.text.find(wanted); at != part.text.npos; at = part.text.find(wanted, at + wanted.size()))
    ++found;
  return Value::integer(found);
}

Maybe<Value> replace(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("replace", args, {"*old", "*new", "*count"}, 2));
  JINJA_TRY(std::string_view old, text_of(bound[0], "replace"));
  JINJA_TRY(std::string_view plain, text_of(bound[1], "replace"));
  JINJA_TRY(int64_t most, count_of(bound[2], -1));
  std::string fresh = markup(self) && !markup(bound[1]) ? escape_html(plain) : std::string(plain);
  std::string_view text = self.text();
  std::string out;
  size_t at = 0;
  while (most != 0) {
    size_t found = old.empty() ? at : text.find(old, at);
    if (found == text.npos) break;
    JINJA_CHECK(interp.check_size(out.size() + found - at + fresh.size()));
    out.append(text, at, found - at);
    out += fresh;
    at = found + old.size();
    --most;
    if (old.empty()) {  // between all characters
      if (at == text.size()) break;
      auto size = static_cast<size_t>(decode_utf8(text, at).size);
      out.append(text, at, size);
      at += size;
    }
  }
  out.append(text, at);
  return same_kind(interp, self, std::move(out));
}

// --- splitting and joining ------------------------------------------------------------------------------------------

class Pieces {
 public:
  Pieces(Interp& interp, const Value& self) : interp_(interp), markup_(markup(self)) {}
  Done add(std::string_view text) {
    JINJA_CHECK(interp_.spend(1));
    items_.push_back(interp_.heap().string(std::string(text), markup_));
    return {};
  }
  Value finish(bool reversed = false) {
    if (reversed) std::ranges::reverse(items_);
    return interp_.heap().list(std::move(items_));
  }
  Value tuple() { return interp_.heap().tuple(std::move(items_)); }

 private:
  Interp& interp_;
  bool markup_;
  std::vector<Value> items_;
};

Maybe<Value> split_spaces(Interp& interp, const Value& self, int64_t most, bool from_right) {
  Pieces pieces(interp, self);
  std::string_view rest = from_right ? strip_right(self.text()) : strip_left(self.text());
  while (!rest.empty()) {
    if (most == 0) {
      JINJA_CHECK(pieces.add(from_right ? strip_right(rest) : rest));
      break;
    }
    --most;
    if (from_right) {
      size_t at = rest.size(), begin = at;
      while (begin > 0) {
        at = begin - 1;
        while (at > 0 && (static_cast<unsigned char>(rest[at]) & 0xC0) == 0x80) --at;
        if (is_space(decode_utf8(rest, at).code)) break;
        begin = at;
      }
      JINJA_CHECK(pieces.add(rest.substr(begin)));
      rest = strip_right(rest.substr(0, begin));
    } else {
      size_t end = 0;
      while (end < rest.size()) {
        Utf8Char c = decode_utf8(rest, end);
        if (is_space(c.code)) break;
        end += static_cast<size_t>(c.size);
      }
      JINJA_CHECK(pieces.add(rest.substr(0, end)));
      rest = strip_left(rest.substr(end));
    }
  }
  return pieces.finish(from_right);
}

template <bool kRight>
Maybe<Value> split(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("split", args, {"sep", "maxsplit"}));
  JINJA_TRY(int64_t most, count_of(bound[1], -1));
  if (bound[0].none_or_missing()) return split_spaces(interp, self, most, kRight);
  JINJA_TRY(std::string_view separator, text_of(bound[0], "split"));
  if (separator.empty()) return raise("empty separator");
  Pieces pieces(interp, self);
  std::string_view rest = self.text();
  for (; most != 0; --most) {
    size_t at = kRight ? rest.rfind(separator) : rest.find(separator);
    if (at == rest.npos) break;
    JINJA_CHECK(pieces.add(kRight ? rest.substr(at + separator.size()) : rest.substr(0, at)));
    rest = kRight ? rest.substr(0, at) : rest.substr(at + separator.size());
  }
  JINJA_CHECK(pieces.add(rest));
  return pieces.finish(kRight);
}

template <bool kRight>
Maybe<Value> partition(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("partition", args, {"*sep"}, 1));
  JINJA_TRY(std::string_view separator, text_of(bound[0], "partition"));
  if (separator.empty()) return raise("empty separator");
  std::string_view text = self.text();
  size_t at = kRight ? text.rfind(separator) : text.find(separator);
  Pieces pieces(interp, self);
  if (at == text.npos) {
    JINJA_CHECK(pieces.add(kRight ? "" : text));
    JINJA_CHECK(pieces.add(""));
    JINJA_CHECK(pieces.add(kRight ? text : ""));
  } else {
    JINJA_CHECK(pieces.add(text.substr(0, at)));
    JINJA_CHECK(pieces.add(separator));
    JINJA_CHECK(pieces.add(text.substr(at + separator.size())));
  }
  return pieces.tuple();
}

Maybe<Value> split_lines(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("splitlines", args, {"keepends"}));
  bool keep = truthy(bound[0]);
  std::string_view text = self.text();
  Pieces pieces(interp, self);
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    size_t end = at;
    at += static_cast<size_t>(c.size);
    bool ends = (c.code >= 10 && c.code <= 13) || (c.code >= 0x1C && c.code <= 0x1E) || c.code == 0x85 ||
                c.code == 0x2028 || c.code == 0x2029;
    if (!ends) continue;
    if (c.code == '\r' && at < text.size() && text[at] == '\n') ++at;
    JINJA_CHECK(pieces.add(text.substr(begin, (keep ? at : end) - begin)));
    begin = at;
  }
  if (begin < text.size()) JINJA_CHECK(pieces.add(text.substr(begin)));
  return pieces.finish();
}

Maybe<Value> join(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("join", args, {"*iterable"}, 1));
  JINJA_TRY(std::vector<Value> items, interp.iterate(bound[0]));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is(Kind::string)) {
      return raise("sequence item " + std::to_string(i) + ": expected str instance, " +
                   std::string(type_name(items[i])) + " found");
    }
    JINJA_CHECK(interp.check_size(out.size() + self.text().size() + items[i].text().size()));
    if (i) out += self.text();
    out += markup(self) && !markup(items[i]) ? escape_html(items[i].text()) : items[i].text();
  }
  return same_kind(interp, self, std::move(out));
}

// --- padding and formatting -----------------------------------------------------------------------------------------

enum class Side { left, right, both };

template <Side kText>
Maybe<Value> justify(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("justify", args, {"*width", "*fillchar"}, 1));
  JINJA_TRY(int64_t width, count_of(bound[0], 0));
  std::string_view fill = " ";
  if (bound[1].given()) {
    JINJA_TRY(fill, text_of(bound[1], "justify"));
    if (text_length(bound[1]) != 1) return raise("The fill character must be exactly one character long");
  }
  auto size = static_cast<int64_t>(text_length(self));
  if (width <= size) return self;
  auto missing = static_cast<size_t>(width - size);
  JINJA_CHECK(interp.check_size(missing));
  JINJA_CHECK(interp.check_size(self.text().size() + missing * fill.size()));
  // An odd number of fill characters: Python puts the extra one on the left of a text of odd width.
  size_t before = kText == Side::left    ? 0
                  : kText == Side::right ? missing
                                         : missing / 2 + (missing & static_cast<size_t>(width) & 1);
  std::string out;
  for (size_t i = 0; i < before; ++i) out += fill;
  out += self.text();
  for (size_t i = before; i < missing; ++i) out += fill;
  return same_kind(interp, self, std::move(out));
}

Maybe<Value> zero_fill(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("zfill", args, {"*width"}, 1));
  JINJA_TRY(int64_t width, count_of(bound[0], 0));
  auto size = static_cast<int64_t>(text_length(self));
  if (width <= size) return self;
  auto missing = static_cast<size_t>(width - size);
  JINJA_CHECK(interp.check_size(missing));
  std::string text = self.text();
  text.insert(text.starts_with('-') || text.starts_with('+') ? 1 : 0, missing, '0');
  return same_kind(interp, self, std::move(text));
}

Maybe<Value> expand_tabs(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("expandtabs", args, {"tabsize"}));
  JINJA_TRY(int64_t size, count_of(bound[0], 8));
  const std::string& text = self.text();
  std::string out;
  int64_t column = 0;
  for (size_t at = 0; at < text.size();) {
    auto width = static_cast<size_t>(decode_utf8(text, at).size);
    if (text[at] == '\t') {
      int64_t spaces = size > 0 ? size - column % size : 0;
      JINJA_CHECK(interp.check_size(out.size() + static_cast<size_t>(spaces)));
      out.append(static_cast<size_t>(spaces), ' ');
      column += spaces;
    } else {
      out.append(text, at, width);
      column = text[at] == '\n' || text[at] == '\r' ? 0 : column + 1;
    }
    at += width;
  }
  return same_kind(interp, self, std::move(out));
}

Maybe<Value> format(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(std::string text, format_fields(interp, self.text(), args));
  return same_kind(interp, self, std::move(text));
}
Maybe<Value> format_map(Interp& interp, const Value& self, const Args& args) {
  JINJA_TRY(auto bound, bind("format_map", args, {"*mapping"}, 1));
  if (!bound[0].is(Kind::dict)) return raise("format_map needs a mapping");
  Args named;
  for (const auto& [key, value] : bound[0].dict().items) {
    if (key.is(Kind::string)) named.named.emplace_back(key.text(), value);
  }
  return format(interp, self, named);
}

constexpr Named kMethods[] = {
    {"strip", strip<true, true>},
    {"lstrip", strip<true, false>},
    {"rstrip", strip<false, true>},
    {"split", split<false>},
    {"rsplit", split<true>},
    {"splitlines", split_lines},
    {"startswith", has_affix<true>},
    {"endswith", has_affix<false>},
    {"replace", replace},
    {"join", join},
    {"upper", change_case<to_upper>},
    {"lower", change_case<to_lower>},
    {"title", change_case<title_cased>},
    {"capitalize", change_case<capitalized>},
    {"swapcase", change_case<case_swapped>},
    {"casefold", change_case<case_folded>},
    {"find", find<false, false>},
    {"rfind", find<true, false>},
    {"index", find<false, true>},
    {"rindex", find<true, true>},
    {"count", count},
    {"removeprefix", remove_affix<true>},
    {"removesuffix", remove_affix<false>},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    {"format", format},
    {"format_map", format_map},
    {"ljust", justify<Side::left>},
    {"rjust", justify<Side::right>},
    {"center", justify<Side::both>},
    {"zfill", zero_fill},
    {"expandtabs", expand_tabs},
    {"isalpha", all_are<is_alpha>},
    {"isalnum", all_are<is_alnum>},
    {"isdigit", all_are<is_digit>},
    {"isdecimal", all_are<is_decimal>},
    {"isnumeric", all_are<is_numeric>},
    {"isspace", all_are<is_space>},
    {"isascii", all_are<ascii, true>},
    {"isprintable", all_are<is_printable, true>},
    {"islower", is_case<false>},
    {"isupper", is_case<true>},
    {"istitle", is_title_case},
    {"isidentifier", is_identifier},
};

}  // namespace

std::span<const Named> string_methods() { return kMethods; }

}  // namespace weft::jinja
