// Properties of characters and normalisation, from Unicode 15.0.
//
//   if (is_letter(category(U'é'))) …
//   std::string plain = normalize_utf8("ﬁancé", NormalForm::nfkd);   // bytes that are not UTF-8 stay as they are
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft {

// General categories in the order of the generated table.
enum class Category : uint8_t {
  cn,
  lu,
  ll,
  lt,
  lm,
  lo,
  mn,
  mc,
  me,
  nd,
  nl,
  no,
  pc,
  pd,
  ps,
  pe,
  pi,
  pf,
  po,
  sm,
  sc,
  sk,
  so,
  zs,
  zl,
  zp,
  cc,
  cf,
  cs,
  co
};  // clang-format off is not needed: one row
inline constexpr uint32_t bit(Category c) { return 1u << static_cast<int>(c); }
inline constexpr uint32_t kLetters = 0x3Eu;            // L*: lu ll lt lm lo
inline constexpr uint32_t kMarks = 7u << 6;            // M*: mn mc me
inline constexpr uint32_t kNumbers = 7u << 9;          // N*: nd nl no
inline constexpr uint32_t kPunctuation = 0x7Fu << 12;  // P*: pc pd ps pe pi pf po
inline constexpr uint32_t kSymbols = 15u << 19;        // S*: sm sc sk so
inline constexpr uint32_t kSeparators = 7u << 23;      // Z*: zs zl zp
inline constexpr uint32_t kOthers = 15u << 26 | 1u;    // C*: cc cf cs co and cn (unassigned)

Category category(char32_t code);
inline bool in_category(char32_t code, uint32_t mask) { return (bit(category(code)) & mask) != 0; }
bool is_space(char32_t code);          // White_Space
bool is_cjk_ideograph(char32_t code);  // the blocks that BERT sets apart with spaces
bool is_han(char32_t code);            // script Han
char32_t to_lower(char32_t code);      // simple mappings
char32_t to_upper(char32_t code);
char32_t to_title(char32_t code);
bool is_uppercase(char32_t code);  // properties Uppercase and Lowercase: letters and what looks like them
bool is_lowercase(char32_t code);
bool is_digit(char32_t code);    // has the value of a digit: also superscripts and the like
bool is_numeric(char32_t code);  // has a numeric value: also fractions
int combining_class(char32_t code);

// What the character becomes if that is several characters, as 'ß' in upper case; else empty.
enum class LetterCase : uint8_t { lower, title, upper };
std::u32string_view special_case(char32_t code, LetterCase wanted);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
std::string normalize_utf8(std::string_view text, NormalForm form);

bool is_ascii(std::string_view text);

}  // namespace weft
