// Python's int() and float() of texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::jinja {

// Optional white space, sign, a prefix where `base` is 16, 8, 2 or 0, digits with single underscores between them.
std::optional<int64_t> parse_whole(std::string_view text, int base);
std::optional<double> parse_real(std::string_view text);
// Decimal digits with an optional point and exponent, all of `text`; whatever the process's locale is.
std::optional<double> parse_decimal(std::string_view text);

}  // namespace weft::jinja
