// The four ways to turn one word (a piece of text that the pre-tokenizer set apart) into ids.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/flat_map.h"
#include "text/merge.h"
#include "text/trie.h"
#include "text/vocab.h"

namespace weft {

// Memory kept between words of one call.
struct WordScratch {
  MergeScratch merge;
  struct Best {
    double score;
    size_t from;
    int32_t id;
  };
  std::vector<Best> best;  // Unigram: by byte position
  std::string text;
};

class WordModel {
 public:
  virtual ~WordModel() = default;
  // Appends the ids of `word`. Const and without shared state: any number of threads may call it.
  virtual void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const = 0;
};

// Tokens "<0x00>" … "<0xFF>".
class ByteTokens {
 public:
  explicit ByteTokens(const Vocab& vocab);
  // Appends a token for every byte of `text`; false, and nothing appended, if one is missing.
  bool append(std::string_view text, std::vector<int32_t>& out) const;
  static std::optional<uint8_t> parse(std::string_view piece);

 private:
  std::array<int32_t, 256> ids_;
};

// GPT-2's printable stand-ins for bytes: every byte has one character.
std::string byte_to_printable(std::string_view bytes);
// The inverse, appended to `out`; false, and nothing appended, if a character stands for no byte.
bool append_printable(std::string_view text, std::string& out);

// BPE with a list of merges (Sennrich et al. 2016; byte level: Radford et al. 2019).
struct BpeOptions {
  bool byte_level = false;         // words are bytes, tokens are written in printable stand-ins
  bool byte_fallback = false;      // a character that is no token becomes "<0xNN>" tokens
  bool ignore_merges = false;      // a word that is a token is that token
  bool fuse_unknown = false;       // a run of unknown characters is one unknown token
  std::optional<int32_t> unknown;  // none: unknown characters are left out
  std::string continuing_prefix, end_suffix;
};
struct MergePair {
  std::string_view left, right;
};
Result<std::unique_ptr<WordModel>> make_bpe(std::shared_ptr<const Vocab> vocab, std::span<const MergePair> merges,
                                            BpeOptions options);

// SentencePiece's BPE: neighbours merge if their text is a token, the one of the highest score first (Kudo and
// Richardson 2018). Words are in the escaped form, with U+2581 for a space.
std::unique_ptr<WordModel> make_spm(std::shared_ptr<const Vocab> vocab, std::optional<int32_t> unknown);
// Whether no token spans the end of a word, so that words can be encoded one by one.
bool tokens_stay_in_words(const Vocab& vocab);

// Unigram: the segmentation of the largest sum of scores (Kudo 2018).
Result<std::unique_ptr<WordModel>> make_unigram(std::shared_ptr<const Vocab> vocab, std::optional<int32_t> unknown,
                                                bool byte_fallback);

// WordPiece: the longest token that begins the word, then the longest that continues it (Wu et al. 2016).
struct WordPieceOptions {
  std::string start_prefix;              // GGUF writes tokens that begin a word with U+2581,
  std::string continuing_prefix = "##";  // vocab.txt those that continue one with ##
  int max_characters = 100;              // longer words are unknown
  int32_t unknown = 0;
};
std::unique_ptr<WordModel> make_wordpiece(std::shared_ptr<const Vocab> vocab, WordPieceOptions options);

// What every model leaves to the matcher of added tokens: no ordinary text may turn into these by merging.
inline bool is_reserved(TokenType type) {
  return type == TokenType::control || type == TokenType::unknown || type == TokenType::byte;
}

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

}  // namespace weft
