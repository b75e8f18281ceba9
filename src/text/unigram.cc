#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "text/word_model.h"

namespace weft {
namespace {

constexpr double kUnknownPenalty = 10;  // SentencePiece: an unknown character costs this more than the rarest token

class Unigram final : public WordModel {
 public:
  Unigram(std::shared_ptr<const Vocab> vocab, std::optional<int32_t> unknown, bool byte_fallback)
      : vocab_(std::move(vocab)), byte_tokens_(*vocab_), unknown_(unknown), byte_fallback_(byte_fallback) {
    double lowest = 0;
    for (int32_t id = 0; id < vocab_->size(); ++id) {
      if (is_reserved(vocab_->type(id)) || vocab_->type(id) == TokenType::unused) continue;
      trie_.add(vocab_->text(id), id);
      lowest = std::min(lowest, static_cast<double>(vocab_->score(id)));
    }
    unknown_score_ = lowest - kUnknownPenalty;
  }

  void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const override {
    constexpr double kUnreached = -std::numeric_limits<double>::infinity();
    auto& best = scratch.best;
    best.assign(word.size() + 1, {kUnreached, 0, -1});
    best[0].score = 0;
    for (size_t at = 0; at < word.size();) {
      const size_t next = at + static_cast<size_t>(decode_utf8(word, at).size);
      const double here = best[at].score;
      bool single = false;
      auto offer = [&](size_t end, int32_t id, double score) {
        if (here + score > best[end].score) best[end] = {here + score, at, id};
      };
      trie_.walk(word, at, [&](size_t end, int32_t id) {
        single |= end == next;
        offer(end, id, vocab_->score(id));
      });
      if (!single) offer(next, -1, unknown_score_);
      at = next;
    }
    const size_t first = out.size();
    for (size_t end = word.size(); end > 0;) {  // backwards; a run of unknown characters counts as one
      size_t from = best[end].from;
      if (best[end].id >= 0) {
        out.push_back(best[end].id);
      } else {
        while (from > 0 && best[from].id < 0) from = best[from].from;
        append_unknown(word.substr(from, end - from), out);
      }
      end = from;
    }
    std::reverse(out.begin() + static_cast<ptrdiff_t>(first), out.end());
  }

 private:
  void append_unknown(std::string_view text, std::vector<int32_t>& out) const {
    const size_t first = out.size();
    if (byte_fallback_ && byte_tokens_.append(text, out))
      std::reverse(out.begin() + static_cast<ptrdiff_t>(first), out.end());
    else if (unknown_)
      out.push_back(*unknown_);
  }

  std::shared_ptr<const Vocab> vocab_;
  ByteTokens byte_tokens_;
  std::optional<int32_t> unknown_;
  bool byte_fallback_;
  Trie trie_;
  double unknown_score_ = 0;
};

}  // namespace

Result<std::unique_ptr<WordModel>> make_unigram(std::shared_ptr<const Vocab> vocab, std::optional<int32_t> unknown,
                                                bool byte_fallback) {
  for (int32_t id = 0; id < vocab->size(); ++id)
    if (!(std::abs(vocab->score(id)) < 1e30f))
      return fail(Code::bad_file, vocab->where(), "score of token " + std::to_string(id), "a finite number",
                  std::to_string(vocab->score(id)));
  return std::make_unique<Unigram>(std::move(vocab), unknown, byte_fallback);
}

}  // namespace weft
