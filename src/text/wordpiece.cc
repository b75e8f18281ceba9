#include "base/utf8.h"
#include "text/word_model.h"

namespace weft {
namespace {

class WordPiece final : public WordModel {
 public:
  WordPiece(std::shared_ptr<const Vocab> vocab, WordPieceOptions options)
      : vocab_(std::move(vocab)), options_(std::move(options)) {
    for (int32_t id = 0; id < vocab_->size(); ++id) {
      if (is_reserved(vocab_->type(id))) continue;
      add(vocab_->text(id), id);
    }
  }

  void encode(std::string_view word, WordScratch&, std::vector<int32_t>& out) const override {
    const size_t first = out.size();
    int characters = 0;
    for (size_t i = 0; i < word.size() && characters <= options_.max_characters; ++characters)
      i += decode_utf8(word, i).size;
    bool known = characters <= options_.max_characters;
    for (size_t at = 0; known && at < word.size();) {
      size_t longest = at;
      int32_t id = -1;
      (at == 0 ? start_ : inside_).walk(word, at, [&](size_t end, int32_t token) { longest = end, id = token; });
      known = id >= 0;
      out.push_back(id);
      at = longest;
    }
    if (known) return;
    out.resize(first);
    out.push_back(options_.unknown);
  }

 private:
  // Without a prefix for the start, what lacks the continuing one starts a word; and the other way round.
  void add(std::string_view text, int32_t id) {
    const bool start = options_.continuing_prefix.empty() ? text.starts_with(options_.start_prefix)
                                                          : !text.starts_with(options_.continuing_prefix);
    text.remove_prefix(start ? options_.start_prefix.size() : options_.continuing_prefix.size());
    (start ? start_ : inside_).add(text, id);
  }

  std::shared_ptr<const Vocab> vocab_;
  WordPieceOptions options_;
  Trie start_, inside_;
};

}  // namespace

std::unique_ptr<WordModel> make_wordpiece(std::shared_ptr<const Vocab> vocab, WordPieceOptions options) {
  return std::make_unique<WordPiece>(std::move(vocab), std::move(options));
}

}  // namespace weft
