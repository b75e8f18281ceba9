// The numbers a decoder is built from, read from a model file's metadata (GGUF's keys, whatever the file) and checked:
// every error names the key, what was expected and what was found.
#pragma once

#include "blocks/decoder.h"
#include "blocks/rope.h"
#include "models/registry.h"

namespace weft {

struct Config {
  std::string architecture;
  int64_t layers = 0, width = 0, ffn = 0, heads = 0, kv_heads = 0, head_size = 0, vocabulary = 0, context = 0;
  float eps = 0;
  Activation activation = Activation::silu;
  RopeSettings rope;                       // of layers that see everything
  double sliding_base = 0;                 // rope base of sliding layers
  int64_t window = 0;                      // of sliding layers: the last so many cells, the row's own included
  std::vector<bool> slides;                // by layer
  float attention_scale = 0;               // 0: the file does not say
  float attention_cap = 0, logit_cap = 0;  // 0: none
  DType kv = DType::f16;

  int64_t window_of(int64_t layer) const { return slides[layer] ? window : 0; }
  // 1 / sqrt(D) unless the file says otherwise.
  float scale() const;
  DecoderOptions decoder() const { return {vocabulary, width, layers, eps, 1, logit_cap, kv}; }
};

// Reads and checks the keys `<architecture>.*`. Awaits the read of the rope divisors where the file has them.
Task<Result<Config>> read_config(Weights& weights, const ModelOptions& options);

// An architecture: weights and numbers in, graphs out (into `model`, whose descriptive fields are filled).
using BuildFunction = Status (*)(Model& model, const WeightTable& weights, const Config& config);
Status build_llama(Model& model, const WeightTable& weights, const Config& config);
Status build_qwen2(Model& model, const WeightTable& weights, const Config& config);
Status build_qwen3(Model& model, const WeightTable& weights, const Config& config);
Status build_gemma3(Model& model, const WeightTable& weights, const Config& config);

}  // namespace weft
