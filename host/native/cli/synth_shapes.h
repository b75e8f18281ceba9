// Shapes of known models for `weft synth`, with the facts their published config.json states.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/metadata.h"

namespace weft::cli {

struct SynthShape {
  std::string_view name, architecture;
  int64_t width, ffn, heads, kv_heads, head_dim, layers, vocab, context;
  bool tied;
  double rope_base, eps;
  double rope_factor;  // of llama3's rope scaling; 0: none
  bool qkv_bias;
};

std::span<const SynthShape> synth_shapes();

struct SynthTensor {
  enum class Fill : uint8_t { random, ones, small, rope_factors } fill = Fill::random;
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  double sigma = 1;  // standard deviation of a random matrix
};

// `type` is that of the matrices; where a row is no whole number of its blocks, the next larger type with blocks of 32
// (then f16) takes its place, as other tools do.
std::vector<SynthTensor> synth_tensors(const SynthShape& shape, DType type);
DType type_for_row(DType type, int64_t row);

// Everything but the tokenizer.
Metadata synth_metadata(const SynthShape& shape, DType type);
// A byte-level BPE of `shape.vocab` tokens: 256 bytes, words of growing length with their merges, one end token.
void add_synth_tokenizer(Metadata& metadata, int64_t vocab);

// Llama 3's rope scaling (Meta's published rule) as divisors of the frequencies, one a pair.
struct Llama3Rope {
  double base, factor, low = 1, high = 4, original_context = 8192;
};
std::vector<float> llama3_rope_factors(const Llama3Rope& rope, int64_t head_dim);

// What llama.cpp calls general.file_type for a file made mostly of `type`.
int64_t ggml_file_type(DType type);

// `count` random blocks with mean about 0 and deviation `sigma`, the same for the same seed.
void random_blocks(DType type, double sigma, uint64_t seed, std::byte* out, int64_t count);

}  // namespace weft::cli
