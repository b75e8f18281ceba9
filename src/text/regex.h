// A small regular expression matcher for the patterns that pre-tokenizers are published with: characters, classes
// ([^\s\p{L}0-9], &&, \p{Han}), alternation, groups ((?:…), (?i:…)), the quantifiers ? * + {m,n} (also lazy; possessive
// on single characters), look-ahead of bounded width, and ^ $. Anything else is a Code::unsupported error.
//
//   WEFT_TRY(auto regex, Regex::compile(R"(\s+(?!\S)|\s+|\S+)", "tokenizer.json"));
//   Regex::Scratch scratch;
//   regex.for_each(text, scratch, [&](size_t begin, size_t end) { … });   // leftmost, first alternative wins
//
// Time is linear in the text for every pattern: the matcher backtracks, and once a search has cost more than a few
// steps a byte it remembers which (instruction, position) pairs have failed and never tries one twice.
// Bytes that are not UTF-8 match as U+FFFD, one byte each.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/utf8.h"

namespace weft {

// A set of characters: a union of categories, ranges and other sets, perhaps negated, cut with other sets.
class CharSet {
 public:
  void add_range(char32_t first, char32_t last) { ranges_.push_back({first, last}); }
  void add_categories(uint32_t mask) { categories_ |= mask; }
  void add_space() { space_ = true; }
  void add_han() { han_ = true; }
  void add(CharSet other) { parts_.push_back(std::move(other)); }
  void cut(CharSet other) { cuts_.push_back(std::move(other)); }
  void negate() { negated_ = !negated_; }
  void fold_case();  // adds the other case of every range
  void finish();     // call once after the last change: fills the table for ASCII

  bool has(char32_t code) const { return code < 128 ? ascii_[code] : evaluate(code); }

 private:
  bool evaluate(char32_t code) const;

  std::array<bool, 128> ascii_{};
  bool negated_ = false, space_ = false, han_ = false;
  uint32_t categories_ = 0;
  std::vector<std::pair<char32_t, char32_t>> ranges_;
  std::vector<CharSet> parts_, cuts_;
};

class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern, const std::string& where);

  // Memory of the matcher between calls. One a thread.
  struct Scratch {
    struct Choice {
      uint32_t pc;
      size_t position;  // where to go on, or the end of a run to be given back
      size_t low;       // a run: its shortest end; otherwise kNoRun
      size_t trail;
    };
    std::vector<Choice> choices;
    std::vector<uint64_t> failed;  // bits (pc, position), in use once `remember`
    std::vector<size_t> trail;     // bits set on the way to where we are
    bool remember = false;
    int64_t steps_left = 0;
    int64_t budget = 64;  // steps a byte before a search begins to remember
  };

  // Calls match(begin, end) for every non-empty match, left to right, without overlap.
  template <class Match>
  void for_each(std::string_view text, Scratch& scratch, Match match) const {
    scratch.remember = false;
    scratch.steps_left = (static_cast<int64_t>(text.size()) + 16) * scratch.budget;
    for (size_t at = 0; at < text.size();) {
      const size_t end = match_at(text, at, scratch);
      if (end != kNone && end > at) {
        match(at, end);
        at = end;
      } else {
        at += decode_utf8(text, at).size;
      }
    }
  }

 private:
  friend class RegexParser;
  static constexpr size_t kNone = static_cast<size_t>(-1);
  // maybe, run: ? and * that never give back.
  enum class Op : uint8_t { set, star, maybe, run, split, jump, begin, end, ahead, not_ahead, match };
  struct Instruction {
    Op op;
    uint32_t a =
        0;  // set, star, maybe, run: index of the set. split: first choice. jump: target. ahead: first after its body
    uint32_t b = 0;  // split: second choice
  };

  size_t match_at(std::string_view text, size_t at, Scratch& scratch) const { return run(text, 0, at, scratch); }
  size_t run(std::string_view text, uint32_t pc, size_t at, Scratch& scratch) const;
  void start_remembering(std::string_view text, Scratch& scratch) const;

  std::vector<Instruction> code_;
  std::vector<CharSet> sets_;
};

}  // namespace weft
