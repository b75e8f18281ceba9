#include <algorithm>
#include <numeric>

#include "base/utf8.h"
#include "text/word_model.h"

namespace weft {
namespace {

class Spm final : public WordModel {
 public:
  Spm(std::shared_ptr<const Vocab> vocab, std::optional<int32_t> unknown)
      : vocab_(std::move(vocab)), byte_tokens_(*vocab_), unknown_(unknown), ranks_(vocab_->size()) {
    std::vector<int32_t> order(vocab_->size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return vocab_->score(a) > vocab_->score(b); });
    uint32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {  // equal scores get equal ranks: then the leftmost pair merges
      if (i > 0 && vocab_->score(order[i]) != vocab_->score(order[i - 1])) ++rank;
      ranks_[order[i]] = is_reserved(vocab_->type(order[i])) ? kNoMerge : rank;
      if (!is_reserved(vocab_->type(order[i]))) longest_ = std::max(longest_, vocab_->text(order[i]).size());
    }
  }

  void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const override {
    auto& symbols = scratch.merge.symbols;
    symbols.clear();
    for (uint32_t i = 0; i < word.size();) {
      const uint32_t size = static_cast<uint32_t>(decode_utf8(word, i).size);
      symbols.push_back({find(word.substr(i, size)).id, i, size});
      i += size;
    }
    merge_symbols(scratch.merge, [&](const Symbol& left, const Symbol& right) {
      const uint32_t size = left.size + right.size;
      return size > longest_ ? Merge{} : find(word.substr(left.begin, size));
    });
    for (const Symbol& symbol : symbols) {
      if (symbol.id >= 0)
        out.push_back(symbol.id);
      else if (!byte_tokens_.append(word.substr(symbol.begin, symbol.size), out) && unknown_)
        out.push_back(*unknown_);
    }
  }

 private:
  Merge find(std::string_view text) const {
    const int32_t id = vocab_->find(text);
    return id < 0 || ranks_[id] == kNoMerge ? Merge{} : Merge{ranks_[id], id};
  }

  std::shared_ptr<const Vocab> vocab_;
  ByteTokens byte_tokens_;
  std::optional<int32_t> unknown_;
  std::vector<uint32_t> ranks_;  // by id: place in the order of scores
  size_t longest_ = 0;
};

}  // namespace

std::unique_ptr<WordModel> make_spm(std::shared_ptr<const Vocab> vocab, std::optional<int32_t> unknown) {
  return std::make_unique<Spm>(std::move(vocab), unknown);
}

bool tokens_stay_in_words(const Vocab& vocab) {
  for (int32_t id = 0; id < vocab.size(); ++id) {
    std::string_view text = vocab.text(id);
    if (is_reserved(vocab.type(id))) continue;
    while (text.starts_with(kSpaceMark)) text.remove_prefix(kSpaceMark.size());
    if (text.find(kSpaceMark) != std::string_view::npos) return false;
  }
  return true;
}

}  // namespace weft
