#include "text/jinja/numbers.h"

#include <charconv>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "text/jinja/unicode.h"

namespace weft::jinja {

namespace {

std::string_view stripped(std::string_view text) { return strip_left(strip_right(text)); }

// The digits without underscores; empty if one is not between two digits.
std::string without_underscores(std::string_view text, bool after_prefix) {
  std::string out;
  auto digit = [](char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if ((i == 0 && !after_prefix) || (i > 0 && !digit(text[i - 1])) || i + 1 == text.size() ||
               !digit(text[i + 1])) {
      return {};
    }
  }
  return out;
}

}  // namespace

std::optional<int64_t> parse_whole(std::string_view text, int base) {
  text = stripped(text);
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  bool prefixed = false;
  if (text.size() > 2 && text[0] == '0') {
    char mark = static_cast<char>(text[1] | 0x20);
    int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked && (base == marked || base == 0)) {
      base = marked;
      text.remove_prefix(2);
      prefixed = true;
    }
  }
  std::string digits = without_underscores(text, prefixed);
  if (base == 0) {
    base = 10;
    if (digits.starts_with('0') && digits.find_first_not_of('0') != digits.npos) return {};
  }
  if (digits.empty() || digits[0] == '-') return {};
  if (negative) digits.insert(0, "-");
  int64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  text = stripped(text);
  double sign = text.starts_with('-') ? -1 : 1;
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  std::string word = to_lower(text);
  if (word == "inf" || word == "infinity") return sign * std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  std::string digits = without_underscores(word, false);
  if (digits.empty() || digits.find_first_not_of("0123456789.e+-") != digits.npos || digits[0] == '-') return {};
  auto value = parse_decimal(digits);
  if (!value) return {};
  return sign * *value;
}

// The standard library at hand has no std::from_chars for double, and strtod wants the locale's decimal point.
std::optional<double> parse_decimal(std::string_view text) {
  std::string plain(text);
  std::string_view point = std::localeconv()->decimal_point;
  if (size_t at = plain.find('.'); at != plain.npos) plain.replace(at, 1, point);
  char* end = nullptr;
  double value = std::strtod(plain.c_str(), &end);
  if (plain.empty() || end != plain.c_str() + plain.size()) return {};
  return value;
}

std::string print_decimal(double value, char form, int precision) {
  const char format[] = {'%', '.', '*', form, '\0'};
  std::string out(static_cast<size_t>(precision) + 400, '\0');
  out.resize(static_cast<size_t>(std::snprintf(out.data(), out.size(), format, precision, value)));
  std::string_view point = std::localeconv()->decimal_point;
  if (size_t at = out.find(point); point != "." && at != out.npos) out.replace(at, point.size(), ".");
  return out;
}

}  // namespace weft::jinja
