#include "text/added_tokens.h"

#include "base/utf8.h"
#include "text/unicode.h"

namespace weft {
namespace {

char32_t character_before(std::string_view text, size_t low, size_t end, size_t& size) {
  size = 1;
  for (size_t back = 1; back <= 4 && back <= end - low; ++back) {
    const Utf8Char c = decode_utf8(text, end - back);
    if (c.valid && static_cast<size_t>(c.size) == back) {
      size = back;
      return c.code;
    }
  }
  return 0xFFFD;
}

bool is_word(char32_t code) { return in_category(code, kLetters | kMarks | bit(Category::nd) | bit(Category::pc)); }

}  // namespace

void AddedTokens::add(AddedToken token) {
  trie_.add(token.text, static_cast<int32_t>(tokens_.size()));
  tokens_.push_back(std::move(token));
}

const AddedToken* AddedTokens::match(std::string_view text, size_t low, size_t& begin, size_t& end,
                                     bool parse_special) const {
  const AddedToken* best = nullptr;
  trie_.walk(text, begin, [&](size_t stop, int32_t index) {
    const AddedToken& token = tokens_[index];
    if (token.special && !parse_special) return;
    if (token.whole_word) {
      size_t size;
      if (begin > 0 && is_word(character_before(text, 0, begin, size))) return;
      if (stop < text.size() && is_word(decode_utf8(text, stop).code)) return;
    }
    best = &token;
    end = stop;
  });
  if (!best) return nullptr;
  for (size_t size; best->strip_left && begin > low && is_space(character_before(text, low, begin, size));)
    begin -= size;
  while (best->strip_right && end < text.size()) {
    const Utf8Char c = decode_utf8(text, end);
    if (!is_space(c.code)) break;
    end += static_cast<size_t>(c.size);
  }
  return best;
}

}  // namespace weft
