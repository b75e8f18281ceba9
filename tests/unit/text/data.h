// Data for the tokenizer tests: the metadata of a GGUF file (the text layer may not use src/file), texts and ids.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/metadata.h"
#include "text/tokenizer.h"

namespace weft::test {

Metadata gguf_metadata(const std::string& path);  // aborts on anything it does not expect
// The tokenizer of shared data; null when there is no shared data. Made once.
std::shared_ptr<const Tokenizer> gguf_tokenizer(const std::string& name);  // "qwen2": tokenizers/ggml-vocab-qwen2.gguf
std::shared_ptr<const Tokenizer> json_tokenizer(const std::string& name);  // "gpt2": tokenizers/json/gpt2

struct VocabTest {
  std::string text;
  std::vector<int32_t> ids;
};
std::vector<VocabTest> vocab_tests(const std::string& name);  // .inp and .out
std::vector<int32_t> id_list(const std::string& json);        // the numbers of a JSON array
std::string random_utf8(std::mt19937& random, int characters);
std::string random_bytes(std::mt19937& random, int count);

}  // namespace weft::test
