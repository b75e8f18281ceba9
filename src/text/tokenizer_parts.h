// What a Tokenizer is made of; filled in by from_metadata.cc and from_json.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/vocab.h"
#include "text/word_model.h"

namespace weft {

struct TokenizerParts {
  std::string kind, pre, chat_template;
  std::shared_ptr<const Vocab> vocab;
  AddedTokens added;             // found in the text as given
  AddedTokens added_normalized;  // found in what the normalizer makes of it
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::shared_ptr<const WordModel> model;

  std::optional<int32_t> bos, eos, unk, pad;
  std::vector<int32_t> prefix, suffix;
  std::vector<int32_t> ends;  // beside those that the constructor finds by their names

  // How a token's text becomes bytes.
  struct Decoding {
    bool byte_level = false;   // printable stand-ins
    bool byte_tokens = false;  // "<0xNN>" is a byte
    std::string space;         // stands for a space, "" for none
    std::string end_suffix;    // at the end of a word: becomes a space
    bool words = false;        // WordPiece, or no decoder: a space before each token that does not continue one
    std::string word_start;    // WordPiece of GGUF: marks the start of a word, "" if only `continuing` marks
    std::string continuing;    // WordPiece: marks a continuation
    bool cleanup = false;      // no space before punctuation and English contractions
    bool strip_first = false;  // the first space of a text is not part of it
    bool strip_last = false;
  } decoding;

  // Made by the constructor.
  std::string bytes;
  std::vector<uint32_t> byte_ends;
};

}  // namespace weft
