// Tokens that are recognised in the text itself, before anything else looks at it: special tokens such as <|im_end|>
// and what a model's makers added to its vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/trie.h"

namespace weft {

struct AddedToken {
  std::string text;
  int32_t id = 0;
  bool special = false;      // found only where EncodeOptions::parse_special
  bool strip_left = false;   // white space before it belongs to it
  bool strip_right = false;  // white space after it belongs to it
  bool whole_word = false;   // not next to a letter, digit or _
};

class AddedTokens {
 public:
  void add(AddedToken token);
  bool empty() const { return tokens_.empty(); }

  // Cuts `text` into the longest tokens from the left and what lies between: found(id) or between(piece).
  template <class Between, class Found>
  void split(std::string_view text, bool parse_special, Between between, Found found) const {
    size_t done = 0;
    for (size_t at = 0; at < text.size();) {
      size_t begin = at, end = 0;
      const AddedToken* token = trie_.may_start(text[at]) ? match(text, done, begin, end, parse_special) : nullptr;
      if (!token) {
        ++at;
        continue;
      }
      if (begin > done) between(text.substr(done, begin - done));
      found(token->id);
      at = done = end;
    }
    if (done < text.size()) between(text.substr(done));
  }

 private:
  // The token at `begin`, whose bounds are widened by the white space it takes (not before `low`).
  const AddedToken* match(std::string_view text, size_t low, size_t& begin, size_t& end, bool parse_special) const;

  Trie trie_;  // to indices of tokens_
  std::vector<AddedToken> tokens_;
};

}  // namespace weft
