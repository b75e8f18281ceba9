// UTF-8 without locale: decoding with replacement, validity, and escaping for messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft {

struct Utf8Char {
  char32_t code = 0xFFFD;  // U+FFFD where the bytes are not valid UTF-8
  int size = 1;            // bytes consumed, at least 1
  bool valid = false;
};

// Decodes the character at `position` (< text.size()). An invalid lead or tail consumes one byte.
Utf8Char decode_utf8(std::string_view text, size_t position);
void append_utf8(std::string& out, char32_t code);
bool valid_utf8(std::string_view text);

// How many bytes at the end of `text` are the beginning of a character that more bytes could complete (0..3).
size_t incomplete_utf8_tail(std::string_view text);

// Invalid sequences become U+FFFD, one for each byte that does not begin a valid character.
std::string replace_invalid_utf8(std::string_view text);

// For one-line messages: control characters and invalid bytes as \xNN, newline as \n.
std::string escape_for_message(std::string_view text);

}  // namespace weft
