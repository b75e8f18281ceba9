#include "base/utf8.h"
#include "text/word_model.h"

namespace weft {
namespace {

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

class Bpe final : public WordModel {
 public:
  Bpe(std::shared_ptr<const Vocab> vocab, BpeOptions options)
      : vocab_(std::move(vocab)), options_(std::move(options)), byte_tokens_(*vocab_) {
    for (int b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(b);
      const int32_t id = vocab_->find(byte_to_printable({&byte, 1}));
      byte_ids_[b] = id >= 0 && vocab_->type(id) == TokenType::normal ? id : -1;
    }
  }

  Status add_merges(std::span<const MergePair> merges) {
    const std::string& where = vocab_->where();
    if (merges.size() >= kNoMerge) return fail(Code::limit, where, "merges", "fewer than 2^32", "more");
    merges_.reserve(merges.size());
    std::string both;
    for (uint32_t rank = 0; rank < merges.size(); ++rank) {
      const auto [left, right] = merges[rank];
      const int32_t a = vocab_->find(left), b = vocab_->find(right);
      std::string_view tail = right;
      if (tail.starts_with(options_.continuing_prefix)) tail.remove_prefix(options_.continuing_prefix.size());
      both.assign(left).append(tail);
      const int32_t merged = vocab_->find(both);
      if (a < 0 || b < 0 || merged < 0) {
        const std::string_view missing = a < 0 ? left : b < 0 ? right : both;
        return fail(Code::bad_file, where, "merge " + std::to_string(rank), "tokens of the vocabulary",
                    "'" + std::string(missing) + "', which is none");
      }
      merges_.insert(pair_key(a, b), {rank, merged});
    }
    return {};
  }

  void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const override {
    if (options_.ignore_merges) {
      const int32_t id = vocab_->find(options_.byte_level ? byte_to_printable(word) : std::string(word));
      if (id >= 0 && vocab_->type(id) == TokenType::normal) return out.push_back(id);
    }
    auto& symbols = scratch.merge.symbols;
    symbols.clear();
    if (options_.byte_level && options_.end_suffix.empty() && options_.continuing_prefix.empty()) {
      for (char c : word) put_known(byte_ids_[static_cast<uint8_t>(c)], symbols);
    } else {
      split_characters(word, scratch);
    }
    merge_symbols(scratch.merge, [this](const Symbol& left, const Symbol& right) {
      if (left.id < 0 || right.id < 0) return Merge{};
      const Merge* merge = merges_.find(pair_key(left.id, right.id));
      return merge ? *merge : Merge{};
    });
    for (const Symbol& symbol : symbols) out.push_back(symbol.id);
  }

 private:
  void put_known(int32_t id, std::vector<Symbol>& symbols) const {
    if (id >= 0) return symbols.push_back({id, 0, 1});
    if (!options_.unknown) return;
    const bool fuse = options_.fuse_unknown && !symbols.empty() && symbols.back().id == *options_.unknown;
    if (!fuse) symbols.push_back({*options_.unknown, 0, 1});
  }

  void split_characters(std::string_view word, WordScratch& scratch) const {
    auto& symbols = scratch.merge.symbols;
    std::vector<int32_t> bytes;
    for (size_t i = 0; i < word.size();) {
      const size_t size = options_.byte_level ? 1 : decode_utf8(word, i).size;
      const std::string_view character = word.substr(i, size);
      auto& text = scratch.text;
      text.clear();
      if (i > 0) text += options_.continuing_prefix;
      text += options_.byte_level ? byte_to_printable(character) : std::string(character);
      i += size;
      if (i == word.size()) text += options_.end_suffix;
      int32_t id = vocab_->find(text);
      if (id >= 0 && is_reserved(vocab_->type(id))) id = -1;
      bytes.clear();
      if (id < 0 && options_.byte_fallback && byte_tokens_.append(character, bytes)) {
        for (int32_t byte : bytes) put_known(byte, symbols);
      } else {
        put_known(id, symbols);
      }
    }
  }

  std::shared_ptr<const Vocab> vocab_;
  BpeOptions options_;
  ByteTokens byte_tokens_;
  std::array<int32_t, 256> byte_ids_;
  FlatMap<Merge> merges_;
};

}  // namespace

Result<std::unique_ptr<WordModel>> make_bpe(std::shared_ptr<const Vocab> vocab, std::span<const MergePair> merges,
                                            BpeOptions options) {
  auto bpe = std::make_unique<Bpe>(std::move(vocab), std::move(options));
  WEFT_CHECK_OK(bpe->add_merges(merges));
  return bpe;
}

}  // namespace weft
