#include "text/jinja/unicode.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "base/utf8.h"

namespace weft::jinja {

namespace {

enum : uint8_t {
  kAlpha = 1,
  kDecimal = 2,
  kDigit = 4,
  kNumeric = 8,
  kUpperBit = 16,
  kLowerBit = 32,
  kHidden = 64,
  kTitleBit = 128
};
struct ClassRun {
  uint32_t first;
  uint8_t bits;
};
struct CaseRun {
  uint32_t first, last;
  int32_t stride, delta;
};
enum : uint8_t { kToLower = 0, kToTitle = 1, kToUpper = 2 };
struct LongCase {
  uint32_t code;
  uint8_t kind;
  uint32_t text[3];
};
#include "text/jinja/unicode_tables.inc"

uint8_t bits_of(char32_t c) {
  auto at = std::upper_bound(std::begin(kClasses), std::end(kClasses), static_cast<uint32_t>(c),
                             [](uint32_t code, const ClassRun& run) { return code < run.first; });
  return std::prev(at)->bits;
}

template <size_t N>
bool map_in(const CaseRun (&runs)[N], char32_t& c) {
  auto code = static_cast<uint32_t>(c);
  auto at = std::upper_bound(std::begin(runs), std::end(runs), code,
                             [](uint32_t wanted, const CaseRun& run) { return wanted < run.first; });
  // Runs of every second character may interleave, so the one before can match too.
  for (int back = 0; back < 2 && at != std::begin(runs); ++back) {
    --at;
    if (code <= at->last && (code - at->first) % static_cast<uint32_t>(at->stride) == 0) {
      c = static_cast<char32_t>(static_cast<int32_t>(code) + at->delta);
      return true;
    }
  }
  return false;
}

void append_case(std::string& out, char32_t c, uint8_t kind) {
  if (c < 0x80) {
    bool change = kind == kToLower ? c >= 'A' && c <= 'Z' : c >= 'a' && c <= 'z';
    out += static_cast<char>(change ? c ^ 0x20 : c);
    return;
  }
  for (const LongCase& entry : kLong) {
    if (entry.code != c || entry.kind != kind) continue;
    for (uint32_t code : entry.text) {
      if (code) append_utf8(out, code);
    }
    return;
  }
  if (kind == kToLower) {
    map_in(kLower, c);
  } else if (kind == kToUpper || !map_in(kTitle, c)) {
    map_in(kUpper, c);
  }
  append_utf8(out, c);
}

bool is_cased(char32_t c) { return (bits_of(c) & (kUpperBit | kLowerBit | kTitleBit)) != 0; }

// Greek capital sigma becomes final sigma at the end of a word.
bool final_sigma(std::string_view text, size_t at) {
  bool before = false;
  for (size_t i = at; i > 0;) {
    do --i;
    while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80);
    char32_t c = decode_utf8(text, i).code;
    if (c == '\'' || c == '.' || c == 0xAD) continue;
    before = is_cased(c);
    break;
  }
  if (!before) return false;
  for (size_t i = at + 2; i < text.size();) {
    Utf8Char c = decode_utf8(text, i);
    if (c.code != '\'' && c.code != '.' && c.code != 0xAD) return !is_cased(c.code);
    i += static_cast<size_t>(c.size);
  }
  return true;
}

void append_lower(std::string& out, std::string_view text, size_t at, char32_t c) {
  if (c == 0x3A3 && final_sigma(text, at)) {
    append_utf8(out, 0x3C2);
  } else {
    append_case(out, c, kToLower);
  }
}

// Calls visit(position, character) for each character.
template <class F>
void each(std::string_view text, F visit) {
  for (size_t at = 0; at < text.size();) {
    Utf8Char c = decode_utf8(text, at);
    visit(at, c.code);
    at += static_cast<size_t>(c.size);
  }
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}
bool is_alpha(char32_t c) { return (bits_of(c) & kAlpha) != 0; }
bool is_decimal(char32_t c) { return (bits_of(c) & kDecimal) != 0; }
bool is_digit(char32_t c) { return (bits_of(c) & kDigit) != 0; }
bool is_numeric(char32_t c) { return (bits_of(c) & kNumeric) != 0; }
bool is_alnum(char32_t c) { return (bits_of(c) & (kAlpha | kDecimal | kDigit | kNumeric)) != 0; }
bool is_word(char32_t c) { return c == '_' || is_alnum(c); }
bool is_upper(char32_t c) { return (bits_of(c) & kUpperBit) != 0; }
bool is_lower(char32_t c) { return (bits_of(c) & kLowerBit) != 0; }
bool is_title(char32_t c) { return (bits_of(c) & kTitleBit) != 0; }
bool is_printable(char32_t c) { return (bits_of(c) & kHidden) == 0; }

std::string to_upper(std::string_view text) {
  std::string out;
  each(text, [&](size_t, char32_t c) { append_case(out, c, kToUpper); });
  return out;
}
std::string to_lower(std::string_view text) {
  std::string out;
  each(text, [&](size_t at, char32_t c) { append_lower(out, text, at, c); });
  return out;
}
std::string capitalized(std::string_view text) {
  std::string out;
  each(text, [&](size_t at, char32_t c) {
    if (at == 0) {
      append_case(out, c, kToTitle);
    } else {
      append_lower(out, text, at, c);
    }
  });
  return out;
}
std::string title_cased(std::string_view text) {
  std::string out;
  bool inside = false;
  each(text, [&](size_t at, char32_t c) {
    if (inside) {
      append_lower(out, text, at, c);
    } else {
      append_case(out, c, kToTitle);
    }
    inside = is_cased(c);
  });
  return out;
}
std::string case_swapped(std::string_view text) {
  std::string out;
  each(text, [&](size_t at, char32_t c) {
    if (is_upper(c)) {
      append_lower(out, text, at, c);
    } else {
      append_case(out, c, is_lower(c) ? kToUpper : kToLower);
    }
  });
  return out;
}

std::string case_folded(std::string_view text) {
  std::string out;
  each(text, [&](size_t, char32_t c) {
    if (c == 0xDF || c == 0x1E9E) {
      out += "ss";
    } else if (c == 0x3C2) {
      append_utf8(out, 0x3C3);
    } else {
      append_case(out, c, kToLower);
    }
  });
  return out;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty()) {
    Utf8Char c = decode_utf8(text, 0);
    if (!is_space(c.code)) break;
    text.remove_prefix(static_cast<size_t>(c.size));
  }
  return text;
}
std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && text.size() - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    Utf8Char c = decode_utf8(text, at);
    if (at + static_cast<size_t>(c.size) != text.size() || !is_space(c.code)) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

}  // namespace weft::jinja
