// Cuts a template into tokens with the settings that Hugging Face uses for chat templates: trim_blocks, lstrip_blocks,
// no trailing newline kept.
//
//   JINJA_TRY(std::vector<Token> tokens, tokenize("{{ name }}!"));
//   // expression_begin, name "name", expression_end, data "!", end
//
// Errors: Code::bad_template with the line; Code::limit for a template above kMaxSource bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace weft::jinja {

enum class Tok : uint8_t {
  data,
  expression_begin,
  expression_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  real,
  symbol,
  end
};

// A symbol of one or two characters as a number; 0 for tokens that are none.
constexpr uint16_t symbol_code(std::string_view symbol) {
  int code = static_cast<unsigned char>(symbol[0]);
  if (symbol.size() > 1) code |= static_cast<unsigned char>(symbol[1]) << 8;
  return static_cast<uint16_t>(code);
}

struct Token {
  Tok type = Tok::end;
  uint16_t symbol = 0;
  int line = 1;
  std::string text;  // data, name, unescaped string, or the symbol itself
  int64_t integer = 0;
  double real = 0;
};

constexpr size_t kMaxSource = size_t{4} << 20;

Maybe<std::vector<Token>> tokenize(std::string_view source);

}  // namespace weft::jinja
