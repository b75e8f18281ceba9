// What Python knows about characters, as far as templates can ask: str.upper(), .isdigit(), repr() and so on.
// The same tables as text/unicode.h, by Python's rules.
#pragma once

#include <string>
#include <string_view>

namespace weft::jinja {

bool is_space(char32_t c);    // str.isspace, and what str.strip and str.split drop
bool is_alpha(char32_t c);    // a letter
bool is_decimal(char32_t c);  // a digit of a positional system
bool is_digit(char32_t c);    // also superscripts and the like
bool is_numeric(char32_t c);  // also fractions
bool is_alnum(char32_t c);
bool is_word(char32_t c);  // \w of Python's regular expressions
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);      // one of the few characters of category Lt
bool is_printable(char32_t c);  // repr() prints it as it is

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string capitalized(std::string_view text);   // the first character in title case, the others lower
std::string title_cased(std::string_view text);   // str.title: each run of cased letters capitalized
std::string case_swapped(std::string_view text);  // str.swapcase

std::string case_folded(std::string_view text);  // str.casefold, by lower case: exact but for a few letters

std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);

}  // namespace weft::jinja
