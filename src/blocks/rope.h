// Frequencies of rotary position embeddings (Su et al. 2021, "RoFormer") and the ways models stretch them.
//
//   WEFT_TRY(auto table, rope_table({.size = 64, .base = 10000, .kind = RopeKind::linear, .factor = 4}));
//   auto f = g.constant("rope.inv_freq", {32}, table.inv_freq);   q = g.rope(q, positions, f, table.scale);
#pragma once

#include <vector>

#include "base/result.h"

namespace weft {

enum class RopeKind : uint8_t {
  plain,   // inv_freq[i] = base^(-2i / size)
  linear,  // all divided by factor (Chen et al. 2023, "Position Interpolation")
  llama3,  // low frequencies divided by factor, high ones kept, a ramp between (Llama 3.1 model card and code)
  yarn,    // the same by the number of turns within the original context, and a factor on cos and sin
           // (Peng et al. 2023, "YaRN", sections 3.2 and 3.4)
};

struct RopeSettings {
  int64_t size = 0;  // elements of a head that rotate, even
  double base = 10000;
  RopeKind kind = RopeKind::plain;
  double factor = 1;
  double original_context = 0;             // llama3, yarn: the context length trained before stretching
  double low_factor = 1, high_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;    // yarn: turns within the original context
  double attention_factor = 0;             // yarn: 0 means 0.1 ln(factor) + 1
  std::vector<float> divisors;  // [size / 2] or empty: each frequency is divided by its entry (a GGUF tensor)
};

struct RopeTable {
  std::vector<float> inv_freq;  // [size / 2], radians a position
  float scale = 1;              // on cos and sin
};

// invalid_argument names the setting that is out of range.
Result<RopeTable> rope_table(const RopeSettings& settings);

}  // namespace weft
