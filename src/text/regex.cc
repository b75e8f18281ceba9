#include "text/regex.h"

#include <algorithm>

#include "base/compact_sort.h"
#include "text/unicode.h"

namespace weft {
namespace {

struct Char {
  char32_t code;
  int size;
};

Char char_at(std::string_view text, size_t at) {
  const uint8_t byte = static_cast<uint8_t>(text[at]);
  if (byte < 0x80) return {byte, 1};
  const Utf8Char c = decode_utf8(text, at);
  return {c.code, c.size};
}

// Where the character that ends at `end` begins, as forward decoding from an earlier boundary `low` sees it.
size_t char_before(std::string_view text, size_t low, size_t end) {
  for (size_t back = 2; back <= 4 && end - low >= back; ++back) {
    const Utf8Char c = decode_utf8(text, end - back);
    if (c.valid && static_cast<size_t>(c.size) == back) return end - back;
  }
  return end - 1;
}

constexpr size_t kNoRun = static_cast<size_t>(-1);

}  // namespace

void CharSet::fold_case() {
  const size_t count = ranges_.size();
  for (size_t i = 0; i < count; ++i) {
    const auto [first, last] = ranges_[i];
    for (char32_t c = first; c <= last && c - first < 0x3000; ++c) {
      for (char32_t other : {to_lower(c), to_upper(c)})
        if (other != c) ranges_.push_back({other, other});
      if (c == 's' || c == 'S') ranges_.push_back({0x17F, 0x17F});    // long s folds to s
      if (c == 'k' || c == 'K') ranges_.push_back({0x212A, 0x212A});  // Kelvin sign folds to k
    }
  }
  for (CharSet& part : parts_) part.fold_case();
}

void CharSet::finish() {
  compact_sort(ranges_);
  std::vector<std::pair<char32_t, char32_t>> merged;
  for (auto range : ranges_) {
    if (!merged.empty() && range.first <= merged.back().second + 1)
      merged.back().second = std::max(merged.back().second, range.second);
    else
      merged.push_back(range);
  }
  ranges_ = std::move(merged);
  for (CharSet& part : parts_) part.finish();
  for (CharSet& part : cuts_) part.finish();
  for (char32_t c = 0; c < 128; ++c) ascii_[c] = evaluate(c);
}

bool CharSet::evaluate(char32_t code) const {
  bool in = (categories_ && in_category(code, categories_)) || (space_ && is_space(code)) || (han_ && is_han(code));
  if (!in && !ranges_.empty()) {
    auto after = std::upper_bound(ranges_.begin(), ranges_.end(), code,
                                  [](char32_t c, const auto& range) { return c < range.first; });
    in = after != ranges_.begin() && code <= std::prev(after)->second;
  }
  for (size_t i = 0; !in && i < parts_.size(); ++i) in = parts_[i].has(code);
  for (size_t i = 0; in && i < cuts_.size(); ++i) in = cuts_[i].has(code);
  return in != negated_;
}

void Regex::start_remembering(std::string_view text, Scratch& scratch) const {
  scratch.remember = true;
  scratch.failed.assign((code_.size() * (text.size() + 1) + 63) / 64, 0);
  scratch.trail.clear();
  scratch.choices.clear();
}

// Runs from `pc` to the next `match`. A look-ahead runs its body the same way, on top of the choices made so far;
// its body has bounded width, so such calls neither nest deeply nor cost more than a constant.
size_t Regex::run(std::string_view text, uint32_t pc, size_t at, Scratch& scratch) const {
  const uint32_t first_pc = pc;
  const size_t first_at = at;
  auto& choices = scratch.choices;
  const bool outermost = first_pc == 0;
  if (outermost) choices.clear(), scratch.trail.clear();
  const size_t base = choices.size();
  const size_t trail_base = scratch.trail.size();
  for (;;) {
    bool ok = true;
    if (!scratch.remember) {
      if (--scratch.steps_left < 0 && outermost) {
        start_remembering(text, scratch);
        pc = first_pc, at = first_at;
      }
    } else {
      const size_t bit = code_[pc].op == Op::match ? kNone : pc * (text.size() + 1) + at;
      if (bit != kNone) {
        uint64_t& word = scratch.failed[bit / 64];
        ok = !(word >> (bit % 64) & 1);
        word |= uint64_t{1} << (bit % 64);
        if (ok) scratch.trail.push_back(bit);
      }
    }
    if (ok) {
      const Instruction& i = code_[pc];
      switch (i.op) {
        case Op::set: {
          if (at == text.size()) {
            ok = false;
            break;
          }
          const Char c = char_at(text, at);
          ok = sets_[i.a].has(c.code);
          at += c.size;
          ++pc;
          break;
        }
        case Op::star: {
          const CharSet& set = sets_[i.a];
          if (scratch.remember) {  // one character at a time, so that each position is looked at once
            choices.push_back({pc + 1, at, kNoRun, scratch.trail.size()});
            if (at == text.size()) {
              ok = false;
              break;
            }
            const Char c = char_at(text, at);
            ok = set.has(c.code);
            at += c.size;
            break;
          }
          const size_t low = at;
          while (at < text.size()) {
            const Char c = char_at(text, at);
            if (!set.has(c.code)) break;
            at += c.size;
          }
          scratch.steps_left -= static_cast<int64_t>(at - low);
          ++pc;
          if (at > low) choices.push_back({pc, at, low, 0});
          break;
        }
        case Op::maybe:
        case Op::run: {
          Char c{};
          const bool in = at < text.size() && (c = char_at(text, at), sets_[i.a].has(c.code));
          if (in) at += c.size;
          if (!in || i.op == Op::maybe) ++pc;
          break;
        }
        case Op::split:
          choices.push_back({i.b, at, kNoRun, scratch.trail.size()});
          pc = i.a;
          break;
        case Op::jump:
          pc = i.a;
          break;
        case Op::begin:
          ok = at == 0 || text[at - 1] == '\n';
          ++pc;
          break;
        case Op::end:
          ok = at == text.size() || text[at] == '\n';
          ++pc;
          break;
        case Op::ahead:
        case Op::not_ahead: {
          const bool found = run(text, pc + 1, at, scratch) != kNone;
          ok = found == (i.op == Op::ahead);
          pc = i.a;
          break;
        }
        case Op::match:
          // What lies on the path that led here has not failed: forget it.
          for (size_t t = trail_base; t < scratch.trail.size(); ++t)
            scratch.failed[scratch.trail[t] / 64] &= ~(uint64_t{1} << (scratch.trail[t] % 64));
          scratch.trail.resize(trail_base);
          choices.resize(base);
          return at;
      }
    }
    if (ok) continue;
    if (choices.size() == base) {
      scratch.trail.resize(trail_base);
      return kNone;
    }
    Scratch::Choice& choice = choices.back();
    pc = choice.pc;
    if (choice.low != kNoRun) {
      choice.position = at = char_before(text, choice.low, choice.position);
      if (at == choice.low) choices.pop_back();
    } else {
      at = choice.position;
      scratch.trail.resize(choice.trail);
      choices.pop_back();
    }
  }
}

}  // namespace weft
