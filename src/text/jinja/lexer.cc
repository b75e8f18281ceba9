#include "text/jinja/lexer.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "text/jinja/numbers.h"
#include "text/jinja/unicode.h"

namespace weft::jinja {

namespace {

bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || ascii_digit(c) ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::unexpected<Fault> raise_at(int line, std::string text, Code code = Code::bad_template) {
  auto fault = raise(std::move(text), code);
  fault.error().trouble->line = line;
  return fault;
}

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)), text_(source_) {}

  Maybe<std::vector<Token>> run() {
    while (at_ < text_.size()) JINJA_CHECK(lex_outside());
    push(Tok::end);
    return std::move(tokens_);
  }

 private:
  std::string source_;
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_start_ = true;  // the last tag ended with a newline, or this is the beginning
  std::vector<Token> tokens_;

  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  void advance(size_t count) {
    auto passed = text_.substr(at_, count);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    at_ += passed.size();
  }
  size_t spaces_at(size_t at) const { return text_.size() - at - strip_left(text_.substr(at)).size(); }
  void push(Tok type, std::string text = {}) {
    tokens_.push_back({.type = type, .line = line_, .text = std::move(text)});
  }

  // The data before a tag: '-' strips all white space at its end; otherwise what indents a tag on its own line goes.
  std::string_view strip_data(std::string_view data, char sign, bool expression) const {
    if (sign == '-') return strip_right(data);
    if (sign == '+' || expression) return data;
    size_t newline = data.rfind('\n');
    if (newline == data.npos && !line_start_) return data;
    size_t from = newline == data.npos ? 0 : newline + 1;
    return strip_left(data.substr(from)).empty() ? data.substr(0, from) : data;
  }
  void push_data(std::string_view data, std::string_view kept) {
    if (!kept.empty()) push(Tok::data, std::string(kept));
    advance(data.size());
  }
  // What follows the end of a block or comment: white space after '-', one newline after a plain end.
  void end_tag(size_t size, bool strip, bool trim) {
    size_t from = at_;
    advance(size);
    if (strip) {
      advance(spaces_at(at_));
    } else if (trim && peek() == '\n') {
      advance(1);
    }
    line_start_ = at_ > from && text_[at_ - 1] == '\n';
  }

  Done lex_outside() {
    size_t open = at_;
    while (true) {
      open = text_.find('{', open);
      if (open == text_.npos || open + 1 >= text_.size()) {
        push_data(text_.substr(at_), text_.substr(at_));
        at_ = text_.size();
        return {};
      }
      char second = text_[open + 1];
      if (second == '{' || second == '%' || second == '#') break;
      ++open;
    }
    char kind = text_[open + 1];
    char sign = open + 2 < text_.size() && (text_[open + 2] == '-' || text_[open + 2] == '+') ? text_[open + 2] : '\0';
    auto data = text_.substr(at_, open - at_);
    push_data(data, strip_data(data, sign, kind == '{'));
    if (kind == '%') {
      if (size_t size = raw_tag(at_, "raw", false); size) return lex_raw(size);
    }
    int line = line_;
    if (kind != '#') push(kind == '{' ? Tok::expression_begin : Tok::block_begin);
    advance(sign ? 3 : 2);
    return kind == '#' ? lex_comment(line) : lex_inside(kind == '{');
  }

  // Length of a tag {% word %} at `at`, 0 if there is none. At its end `+%}` is understood only where `plus_end`.
  size_t raw_tag(size_t at, std::string_view word, bool plus_end) const {
    size_t begin = at;
    at += 2;
    if (at < text_.size() && (text_[at] == '-' || text_[at] == '+')) ++at;
    at += spaces_at(std::min(at, text_.size()));
    if (!text_.substr(at).starts_with(word)) return 0;
    at += word.size();
    at += spaces_at(at);
    if (at < text_.size() && (text_[at] == '-' || (plus_end && text_[at] == '+'))) ++at;
    return text_.substr(at).starts_with("%}") ? at + 2 - begin : 0;
  }

  Done lex_raw(size_t size) {
    int line = line_;
    end_tag(size, text_[at_ + size - 3] == '-', false);
    for (size_t open = text_.find("{%", at_); open != text_.npos; open = text_.find("{%", open + 1)) {
      size_t end = raw_tag(open, "endraw", true);
      if (end == 0) continue;
      auto data = text_.substr(at_, open - at_);
      push_data(data, strip_data(data, text_[open + 2], false));
      char last = text_[at_ + end - 3];
      end_tag(end, last == '-', last != '+');
      return {};
    }
    return raise_at(line, "missing end of raw block");
  }

  Done lex_comment(int line) {
    size_t end = text_.find("#}", at_);
    if (end == text_.npos) return raise_at(line, "missing end of comment");
    char sign = end > at_ ? text_[end - 1] : '\0';
    advance(end - at_);
    end_tag(2, sign == '-', sign != '+');
    return {};
  }

  Done lex_inside(bool expression) {
    std::string_view closing = expression ? "}}" : "%}";
    std::string open;  // brackets awaiting their partner
    int begun = line_;
    while (true) {
      advance(spaces_at(at_));
      if (at_ >= text_.size())
        return raise_at(begun, std::string("unterminated tag, expected '") + std::string(closing) + "'");
      if (open.empty()) {
        char sign = peek() == '-' || (!expression && peek() == '+') ? peek() : '\0';
        if (text_.substr(at_ + (sign ? 1 : 0)).starts_with(closing)) {
          push(expression ? Tok::expression_end : Tok::block_end);
          end_tag(sign ? 3 : 2, sign == '-', !expression && sign != '+');
          return {};
        }
      }
      char c = peek();
      if (ascii_digit(c)) {
        JINJA_CHECK(lex_number());
      } else if (name_byte(c)) {
        JINJA_CHECK(lex_name());
      } else if (c == '\'' || c == '"') {
        JINJA_CHECK(lex_string(c));
      } else {
        JINJA_CHECK(lex_symbol(open));
      }
    }
  }

  Done lex_name() {
    size_t end = at_;
    while (end < text_.size()) {
      Utf8Char c = decode_utf8(text_, end);
      if (!c.valid || (c.code >= 0x80 && !is_word(c.code)) || (c.code < 0x80 && !name_byte(text_[end]))) break;
      end += static_cast<size_t>(c.size);
    }
    if (end == at_) return raise_at(line_, "unexpected character '" + escape_for_message(text_.substr(at_, 1)) + "'");
    push(Tok::name, std::string(text_.substr(at_, end - at_)));
    advance(end - at_);
    return {};
  }

  // A run of digits in which single underscores may stand between digits; 0 if there is none.
  size_t digits_at(size_t at, bool (*digit)(char)) const {
    size_t end = at;
    while (end < text_.size() && (digit(text_[end]) || (text_[end] == '_' && end > at && text_[end - 1] != '_' &&
                                                        end + 1 < text_.size() && digit(text_[end + 1])))) {
      ++end;
    }
    return end - at;
  }

  Done lex_number() {
    size_t whole = digits_at(at_, ascii_digit), end = at_ + whole;
    bool real = false;
    if (at_ == 0 || text_[at_ - 1] != '.') {  // in a.0.1 the numbers are indexes
      if (end < text_.size() && text_[end] == '.') {
        if (size_t fraction = digits_at(end + 1, ascii_digit)) {
          end += 1 + fraction;
          real = true;
        }
      }
      if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
        size_t sign = end + 1 < text_.size() && (text_[end + 1] == '+' || text_[end + 1] == '-') ? 1 : 0;
        if (size_t exponent = digits_at(end + 1 + sign, ascii_digit)) {
          end += 1 + sign + exponent;
          real = true;
        }
      }
    }
    int base = 10;
    size_t prefix = 0;
    if (!real && text_[at_] == '0') {
      char mark = static_cast<char>(peek(1) | 0x20);
      bool (*digit)(char) = nullptr;
      if (mark == 'x') digit = [](char c) { return ascii_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); };
      if (mark == 'o') digit = [](char c) { return c >= '0' && c <= '7'; };
      if (mark == 'b') digit = [](char c) { return c == '0' || c == '1'; };
      size_t from = at_ + 2 + (peek(2) == '_' ? 1 : 0);
      if (size_t count = digit ? digits_at(from, digit) : 0) {
        base = mark == 'x' ? 16 : mark == 'o' ? 8 : 2;
        prefix = 2;
        end = from + count;
      } else {  // no leading zeros: 012 is 0 followed by 12, which no grammar rule accepts
        end = at_ + 1;
        while (end < at_ + whole && (text_[end] == '0' || text_[end] == '_')) ++end;
      }
    }
    Token token{
        .type = real ? Tok::real : Tok::integer, .line = line_, .text = std::string(text_.substr(at_, end - at_))};
    std::string plain = token.text.substr(prefix);
    std::erase(plain, '_');
    const char *from = plain.data(), *to = plain.data() + plain.size();
    if (real) {
      token.real = parse_decimal(plain).value_or(0);  // too large a number becomes infinite, as in Python
    } else if (std::from_chars(from, to, token.integer, base).ec != std::errc()) {
      return raise_at(line_, "the number " + token.text + " does not fit in 64 bits");
    }
    tokens_.push_back(std::move(token));
    advance(end - at_);
    return {};
  }

  Done lex_string(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) return raise_at(line_, "unterminated string");
    auto body = text_.substr(at_ + 1, end - at_ - 1);
    JINJA_TRY(std::string text, unescape(body));
    push(Tok::string, std::move(text));
    advance(end + 1 - at_);
    return {};
  }

  Maybe<std::string> unescape(std::string_view body) const {
    std::string out;
    for (size_t i = 0; i < body.size(); ++i) {
      if (body[i] != '\\' || i + 1 >= body.size()) {
        out += body[i];
        continue;
      }
      char c = body[++i];
      constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
      if (size_t simple = kFrom.find(c); simple != kFrom.npos) {
        out += kTo[simple];
      } else if (c == '\n') {
        continue;
      } else if (c >= '0' && c <= '7') {
        uint32_t code = 0;
        size_t end = i;
        while (end < body.size() && end < i + 3 && body[end] >= '0' && body[end] <= '7') {
          code = code * 8 + static_cast<uint32_t>(body[end++] - '0');
        }
        append_utf8(out, code);
        i = end - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        auto digits = body.substr(i + 1, count);
        uint32_t code = 0;
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        bool whole = digits.size() == count && error == std::errc() && end == digits.data() + count;
        if (!whole || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
          return raise_at(line_, "bad escape '\\" + std::string(1, c) + escape_for_message(digits) + "' in a string");
        }
        append_utf8(out, code);
        i += count;
      } else if (c == 'N') {
        return raise_at(line_, "escapes by character name (\\N{...}) are not supported");
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  Done lex_symbol(std::string& open) {
    constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kOne = "+-*/%~()[]{}.:|,;=<>";
    std::string_view symbol;
    for (auto two : kTwo) {
      if (looking_at(two)) symbol = two;
    }
    char c = peek();
    if (symbol.empty() && kOne.find(c) != kOne.npos) symbol = text_.substr(at_, 1);
    if (symbol.empty()) {
      return raise_at(line_, "unexpected character '" + escape_for_message(text_.substr(at_, 1)) + "'");
    }
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) return raise_at(line_, std::string("unexpected '") + c + "'");
      if (open.back() != c)
        return raise_at(line_, std::string("unexpected '") + c + "', expected '" + open.back() + "'");
      open.pop_back();
    }
    push(Tok::symbol, std::string(symbol));
    tokens_.back().symbol = symbol_code(symbol);
    advance(symbol.size());
    return {};
  }
};

}  // namespace

Maybe<std::vector<Token>> tokenize(std::string_view source) {
  if (source.size() > kMaxSource)
    return raise("the template has " + std::to_string(source.size()) + " bytes, above 4 MiB", Code::limit);
  if (!valid_utf8(source)) return raise("the template is not valid UTF-8");
  return Lexer(source).run();
}

}  // namespace weft::jinja
