#include "text/jinja/unicode.h"

#include "base/utf8.h"
#include "text/unicode.h"

namespace weft::jinja {

namespace {

void append_case(std::string& out, char32_t c, LetterCase wanted) {
  if (c < 0x80) {
    bool change = wanted == LetterCase::lower ? c >= 'A' && c <= 'Z' : c >= 'a' && c <= 'z';
    out += static_cast<char>(change ? c ^ 0x20 : c);
    return;
  }
  std::u32string_view text = special_case(c, wanted);
  for (char32_t code : text) append_utf8(out, code);
  if (!text.empty()) return;
  append_utf8(out, wanted == LetterCase::lower   ? weft::to_lower(c)
                   : wanted == LetterCase::upper ? weft::to_upper(c)
                                                 : weft::to_title(c));
}

bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

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
    append_case(out, c, LetterCase::lower);
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
bool is_alpha(char32_t c) { return in_category(c, kLetters); }
bool is_decimal(char32_t c) { return category(c) == Category::nd; }
bool is_digit(char32_t c) { return weft::is_digit(c); }
bool is_numeric(char32_t c) { return weft::is_numeric(c); }
bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_word(char32_t c) { return c == '_' || is_alnum(c); }
bool is_upper(char32_t c) { return is_uppercase(c); }
bool is_lower(char32_t c) { return is_lowercase(c); }
bool is_title(char32_t c) { return category(c) == Category::lt; }
bool is_printable(char32_t c) { return c == ' ' || !in_category(c, kOthers | kSeparators); }

std::string to_upper(std::string_view text) {
  std::string out;
  each(text, [&](size_t, char32_t c) { append_case(out, c, LetterCase::upper); });
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
      append_case(out, c, LetterCase::title);
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
      append_case(out, c, LetterCase::title);
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
      append_case(out, c, is_lower(c) ? LetterCase::upper : LetterCase::lower);
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
      append_case(out, c, LetterCase::lower);
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
