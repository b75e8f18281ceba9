#include "text/unicode.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "text/unicode_data.h"

namespace weft {
namespace {

// Category and flags of a character.
uint8_t properties(char32_t code) {
  using Data = UnicodeData;
  if (code >= Data::kPlainEnd) {
    if (code >= 0xF0000 && code <= 0x10FFFD && (code & 0xFFFE) != 0xFFFE) return static_cast<uint8_t>(Category::co);
    if (code < Data::kTagsBegin || code >= Data::kTagsEnd) return static_cast<uint8_t>(Category::cn);
    code -= Data::kTagsBegin - Data::kPlainEnd;
  }
  return unicode_data().properties[code];
}

// Hangul syllables are composed by arithmetic (Unicode 3.12).
constexpr char32_t kHangulS = 0xAC00, kHangulL = 0x1100, kHangulV = 0x1161, kHangulT = 0x11A7;
constexpr uint32_t kCountL = 19, kCountV = 21, kCountT = 28, kCountS = kCountL * kCountV * kCountT;

char32_t map_case(std::span<const UnicodeRun> runs, char32_t code) {
  const UnicodeRun* run = find_run(runs, code);
  return run ? code + run->value : code;
}

void decompose(char32_t code, bool compat, std::vector<char32_t>& out) {
  if (code < 0xA0) {
    out.push_back(code);
  } else if (code - kHangulS < kCountS) {
    const uint32_t s = code - kHangulS;
    out.push_back(kHangulL + s / (kCountV * kCountT));
    out.push_back(kHangulV + s / kCountT % kCountV);
    if (s % kCountT) out.push_back(kHangulT + s % kCountT);
  } else if (properties(code) & UnicodeData::kDecomposes) {
    const UnicodeData& data = unicode_data();
    const auto& found = *std::ranges::lower_bound(data.decompositions, code, {}, &UnicodeData::Mapping::code);
    if (found.kind && !compat) {
      out.push_back(code);
    } else {
      for (char32_t part : data.text_of(found)) decompose(part, compat, out);
    }
  } else {
    out.push_back(code);
  }
}

char32_t compose_pair(char32_t a, char32_t b) {
  if (a - kHangulL < kCountL && b - kHangulV < kCountV)
    return kHangulS + ((a - kHangulL) * kCountV + (b - kHangulV)) * kCountT;
  if (a - kHangulS < kCountS && (a - kHangulS) % kCountT == 0 && b - kHangulT - 1 < kCountT - 1)
    return a + (b - kHangulT);
  const auto& pairs = unicode_data().compositions;
  const auto at =
      std::lower_bound(pairs.begin(), pairs.end(), std::pair(a, b),
                       [](const auto& row, const auto& wanted) { return std::pair(row.first, row.second) < wanted; });
  return at != pairs.end() && at->first == a && at->second == b ? at->composite : 0;
}

void compose(std::vector<char32_t>& text) {
  size_t out = 0;
  size_t starter = 0;
  bool have_starter = false;
  int last_class = -1;  // class of the last character kept since the starter, -1 right after it
  for (char32_t code : text) {
    const int klass = combining_class(code);
    if (have_starter && (last_class < klass)) {
      if (char32_t both = compose_pair(text[starter], code)) {
        text[starter] = both;
        continue;
      }
    }
    if (klass == 0) {
      starter = out;
      have_starter = true;
      last_class = -1;
    } else {
      last_class = klass;
    }
    text[out++] = code;
  }
  text.resize(out);
}

// Normalises text[begin, end), which is valid UTF-8.
void normalize_valid(std::string_view text, NormalForm form, std::string& out) {
  const bool compat = form == NormalForm::nfkc || form == NormalForm::nfkd;
  std::vector<char32_t> codes;
  codes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    decompose(c.code, compat, codes);
    i += c.size;
  }
  for (size_t i = 0; i < codes.size();) {  // canonical order: stable sort of each run of marks
    size_t end = i;
    while (end < codes.size() && combining_class(codes[end]) != 0) ++end;
    if (end - i > 1)
      std::stable_sort(codes.begin() + i, codes.begin() + end,
                       [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    i = end + 1;
  }
  if (form == NormalForm::nfc || form == NormalForm::nfkc) compose(codes);
  for (char32_t code : codes) append_utf8(out, code);
}

}  // namespace

Category category(char32_t code) { return static_cast<Category>(properties(code) & UnicodeData::kCategory); }

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_cjk_ideograph(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2CEAF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

bool is_han(char32_t code) {
  static constexpr char32_t kRanges[][2] = {
      {0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},   {0x3007, 0x3007},
      {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},
      {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3}, {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739},
      {0x2B740, 0x2B81D}, {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2F800, 0x2FA1D}, {0x30000, 0x3134A},
      {0x31350, 0x323AF}};
  for (auto [first, last] : kRanges)
    if (code <= last) return code >= first;
  return false;
}

char32_t to_lower(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  return map_case(unicode_data().lower, code);
}

char32_t to_upper(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 32 : code;
  return map_case(unicode_data().upper, code);
}

char32_t to_title(char32_t code) {
  const UnicodeRun* run = find_run(unicode_data().title, code);
  return run ? code + run->value : to_upper(code);
}

std::u32string_view special_case(char32_t code, LetterCase wanted) {
  const UnicodeData& data = unicode_data();
  auto at = std::ranges::lower_bound(data.special_cases, code, {}, &UnicodeData::Mapping::code);
  for (; at != data.special_cases.end() && at->code == code; ++at) {
    if (at->kind == static_cast<uint8_t>(wanted)) return {data.text_of(*at).data(), at->size};
  }
  return {};
}

bool is_uppercase(char32_t code) {
  return category(code) == Category::lu || find_run(unicode_data().other_upper, code);
}
bool is_lowercase(char32_t code) {
  return category(code) == Category::ll || find_run(unicode_data().other_lower, code);
}
bool is_digit(char32_t code) { return category(code) == Category::nd || find_run(unicode_data().digits, code); }
bool is_numeric(char32_t code) { return in_category(code, kNumbers) || find_run(unicode_data().numerics, code); }

int combining_class(char32_t code) {
  if (code < 0x300 || !(properties(code) & UnicodeData::kCombines)) return 0;
  return find_run(unicode_data().combining, code)->value;
}

std::string normalize_utf8(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    if (!c.valid) {
      normalize_valid(text.substr(begin, i - begin), form, out);
      out += text[i];
      begin = i + 1;
    }
    i += c.size;
  }
  normalize_valid(text.substr(begin), form, out);
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

}  // namespace weft
