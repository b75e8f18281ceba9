// Python's int() and float() of texts, and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::jinja {

// Optional white space, sign, a prefix where `base` is 16, 8, 2 or 0, digits with single underscores between them.
std::optional<int64_t> parse_whole(std::string_view text, int base);
std::optional<double> parse_real(std::string_view text);
// Decimal digits with an optional point and exponent, all of `text`; whatever the process's locale is.
std::optional<double> parse_decimal(std::string_view text);
// As C's printf with %e, %f or %g, whatever the locale is. (The standard library's to_chars for double would take 105
// KB of tables into WebAssembly.)
std::string print_decimal(double value, char form, int precision);

}  // namespace weft::jinja
