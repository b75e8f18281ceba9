// Text to token ids and back.
//
//   WEFT_TRY(auto tokenizer, Tokenizer::from_metadata(file.metadata()));
//   WEFT_TRY(auto ids, tokenizer->encode("Once upon a time"));
//   StreamDecoder decoder(*tokenizer);
//   for (int32_t id : ids) show(decoder.push(id));   // whole UTF-8 characters only
//   show(decoder.finish());
//
// A Tokenizer never changes after it is made: any number of threads may use one. encode takes time linear in the text
// (n log n for one endless word), whatever the text; bytes that are not UTF-8 are welcome.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"

namespace weft {

struct TokenizerParts;  // tokenizer_parts.h: what the loaders fill in

class Tokenizer {
 public:
  // From the keys tokenizer.ggml.*: model llama (SentencePiece BPE), gpt2 (byte-level BPE), bert (WordPiece) or t5
  // (Unigram). Errors: no_tokenizer (keys absent, model "none"), unsupported (another model or pre-tokenizer),
  // bad_file (a key of the wrong type or length, an id out of range, a token given twice, a merge of unknown tokens).
  static Result<std::shared_ptr<const Tokenizer>> from_metadata(const Metadata& metadata);
  // From the texts of a Hugging Face tokenizer.json and tokenizer_config.json ("" if there is none). `where` names the
  // file in messages. What this build cannot do exactly is refused as unsupported, never approximated.
  static Result<std::shared_ptr<const Tokenizer>> from_json(std::string_view tokenizer_json,
                                                            std::string_view config_json, const std::string& where);
  // From BERT's vocab.txt, one token a line.
  static Result<std::shared_ptr<const Tokenizer>> from_vocab_txt(std::string_view text, bool lower_case,
                                                                 const std::string& where);

  struct EncodeOptions {
    bool add_bos = true;        // what the model puts around a text: begin and end tokens, only if the model says so
    bool parse_special = true;  // "<|im_end|>" in the text is that token; false for text from strangers
  };
  // Error: limit, for a text above 256 MiB.
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options) const;
  Result<std::vector<int32_t>> encode(std::string_view text) const { return encode(text, EncodeOptions{}); }

  // The bytes of the tokens in a row, less the space that encode puts in front of a text. For tokenizers that know
  // every byte, decode(encode(text)) == text whatever the text; use StreamDecoder where UTF-8 is required.
  // Ids out of range add nothing.
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const;
  std::string_view piece_bytes(int32_t id) const;  // the exact bytes this token stands for, "" if out of range
  std::string_view piece_text(int32_t id) const;   // as in the vocabulary, "" if out of range
  std::optional<int32_t> id_of(std::string_view piece) const;

  int32_t vocab_size() const;
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  std::optional<int32_t> unk() const;
  std::optional<int32_t> pad() const;
  bool add_bos() const;                     // whether encode puts tokens before a text
  bool add_eos() const;                     // … after it
  std::span<const int32_t> prefix() const;  // which
  std::span<const int32_t> suffix() const;
  bool is_end(int32_t id) const;             // ends generation: end of text, turn or message
  std::span<const int32_t> end_ids() const;  // ascending
  bool is_control(int32_t id) const;         // has no text of its own: left out of decoded text
  bool is_special(int32_t id) const;         // control, unknown, or added to the vocabulary by the model's makers
  bool strips_leading_space() const;         // whether decode takes off the first space

  const std::string& kind() const;           // "bpe", "spm", "unigram", "wordpiece"
  const std::string& pre() const;            // name of the pre-tokenizer, "" if it has none
  const std::string& chat_template() const;  // Jinja, "" if the file has none

  explicit Tokenizer(TokenizerParts parts);
  ~Tokenizer();

 private:
  std::unique_ptr<const TokenizerParts> parts_;
};

// Turns ids into UTF-8 as they come. Bytes of a character whose rest is still missing are kept back; bytes that cannot
// become one come out as U+FFFD.
class StreamDecoder {
 public:
  // `at_start`: the first token begins a text, so the space that encode adds is taken off it, as decode does. A
  // continuation of a prompt keeps its space.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool at_start = false, bool skip_special = true)
      : tokenizer_(tokenizer), strip_(at_start && tokenizer.strips_leading_space()), skip_special_(skip_special) {}

  std::string push(int32_t id);
  std::string finish();  // what was kept back; afterwards the decoder is as new, inside a text

 private:
  const Tokenizer& tokenizer_;
  bool strip_;
  bool skip_special_;
  std::string pending_;  // at most 3 bytes between calls
};

}  // namespace weft
