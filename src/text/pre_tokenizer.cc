#include "text/pre_tokenizer.h"

#include "text/word_model.h"

namespace weft {
namespace {

// Cuts one piece by alternating gaps and matches, told through add(begin, end, cut_out).
class Splitter {
 public:
  Splitter(std::vector<TextPieces::Span>& out, SplitBehavior behavior) : out_(out), behavior_(behavior) {}

  void add(uint32_t begin, uint32_t end, bool match) {
    bool join = false;
    switch (behavior_) {
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::removed:
        if (match) return;
        break;
      case SplitBehavior::contiguous:
        join = started_ && match == was_match_;
        break;
      case SplitBehavior::merged_with_previous:
        join = started_ && match && !was_match_;
        break;
      case SplitBehavior::merged_with_next:
        join = started_ && !match && was_match_;
        break;
    }
    if (join)
      out_.back().end = end;
    else
      out_.push_back({begin, end});
    started_ = true;
    was_match_ = match;
  }

 private:
  std::vector<TextPieces::Span>& out_;
  SplitBehavior behavior_;
  bool started_ = false, was_match_ = false;
};

}  // namespace

std::string literal_pattern(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool plain = (c & 0x80) || c < '!' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    if (!plain) out += '\\';
    out += c;
  }
  return out;
}

Status PreTokenizer::add_split(std::string_view pattern, SplitBehavior behavior, bool inverted,
                               const std::string& where) {
  WEFT_TRY(Regex compiled, Regex::compile(pattern, where));
  auto regex = std::make_shared<const Regex>(std::move(compiled));
  steps_.push_back([regex, behavior, inverted](TextPieces& pieces, Regex::Scratch& scratch, bool) {
    std::vector<TextPieces::Span> out;
    out.reserve(pieces.spans.size() + pieces.text.size() / 8);
    for (auto [begin, end] : pieces.spans) {
      Splitter splitter(out, behavior);
      uint32_t done = begin;
      auto gap_to = [&](uint32_t to) {
        if (to > done) splitter.add(done, to, inverted);
      };
      regex->for_each(std::string_view(pieces.text).substr(begin, end - begin), scratch, [&](size_t from, size_t to) {
        gap_to(begin + static_cast<uint32_t>(from));
        done = begin + static_cast<uint32_t>(to);
        splitter.add(begin + static_cast<uint32_t>(from), done, !inverted);
      });
      gap_to(end);
    }
    pieces.spans = std::move(out);
  });
  return {};
}

Status PreTokenizer::add_bert(const std::string& where) {
  WEFT_CHECK_OK(add_split(R"(\s+)", SplitBehavior::removed, false, where));
  // Every mark of ASCII, letters and digits aside, counts as punctuation.
  return add_split(R"([\p{P}$+<=>^`|~])", SplitBehavior::isolated, false, where);
}

void PreTokenizer::add_prefix_space() { add_metaspace(" ", PrependScheme::always, false); }

void PreTokenizer::add_metaspace(std::string replacement, PrependScheme scheme, bool split) {
  steps_.push_back([replacement, scheme, split](TextPieces& pieces, Regex::Scratch&, bool first) {
    TextPieces out("");
    out.text.reserve(pieces.text.size() + pieces.text.size() / 2);
    bool first_piece = first;
    for (auto [begin, end] : pieces.spans) {
      const std::string_view piece = std::string_view(pieces.text).substr(begin, end - begin);
      uint32_t start = static_cast<uint32_t>(out.text.size());
      auto cut = [&] {
        const uint32_t here = static_cast<uint32_t>(out.text.size());
        if (here > start) out.spans.push_back({start, here});
        start = here;
      };
      const bool marked = piece.starts_with(' ') || piece.starts_with(replacement);
      if (!marked && (scheme == PrependScheme::always || (scheme == PrependScheme::first && first_piece)))
        out.text += replacement;
      first_piece = false;
      for (size_t i = 0; i < piece.size();) {
        const bool mark = piece.substr(i).starts_with(replacement);
        if (mark || piece[i] == ' ') {
          if (split) cut();
          out.text += replacement;
          i += mark ? replacement.size() : 1;
        } else {
          out.text += piece[i++];
        }
      }
      cut();
    }
    pieces = std::move(out);
  });
}

void PreTokenizer::add_space_mark_words() {
  steps_.push_back([](TextPieces& pieces, Regex::Scratch&, bool) {
    std::vector<TextPieces::Span> out;
    out.reserve(pieces.text.size() / 6);
    const std::string_view text = pieces.text;
    for (auto [begin, end] : pieces.spans) {
      size_t start = begin;
      bool after_mark = true;
      for (size_t i = begin; i < end;) {
        const bool mark = text[i] == kSpaceMark[0] && text.substr(i, end - i).starts_with(kSpaceMark);
        if (mark && !after_mark) {
          out.push_back({static_cast<uint32_t>(start), static_cast<uint32_t>(i)});
          start = i;
        }
        after_mark = mark;
        i += mark ? kSpaceMark.size() : 1;
      }
      out.push_back({static_cast<uint32_t>(start), end});
    }
    pieces.spans = std::move(out);
  });
}

}  // namespace weft
