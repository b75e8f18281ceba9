// SentencePiece's precompiled normalisation table (normalizer_spec.precompiled_charsmap).
//
// Bytes: u32 size of the trie; the trie, a Darts-clone double array of u32 units; then replacement strings, each
// ended by a zero byte. A unit holds a label (bits 0-7), "has a leaf" (bit 8), an offset (bits 10-30, times 256 if
// bit 9 is set), and for a leaf (bit 31) the place of its replacement among the strings. The text is read from the
// left; the longest key that matches is replaced, a character that begins no key is copied.
// (https://github.com/google/sentencepiece, src/normalizer.cc; https://github.com/s-yata/darts-clone)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft {

class CharsMap {
 public:
  static Result<CharsMap> from_bytes(std::string_view bytes, const std::string& where);
  // Bytes that are not UTF-8 become U+FFFD.
  std::string apply(std::string_view text) const;

 private:
  // Bytes of `text` from `at` that the longest key covers, 0 if none does; its replacement.
  size_t longest_key(std::string_view text, size_t at, std::string_view& replacement) const;

  std::vector<uint32_t> units_;
  std::string strings_;  // ends with a zero byte
};

Result<std::string> decode_base64(std::string_view text, const std::string& where);

}  // namespace weft
