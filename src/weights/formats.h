// Number formats of weights: a plain reference decoder for each, and an encoder. These definitions are the judge of
// every fast kernel; layouts are drawn in docs/file-formats.md. One file a format: formats/<name>.cc.
//
//   std::vector<float> row(256);
//   dequantize(DType::q4_k, blocks, row.data(), 256);      // 144 bytes
#pragma once

#include <cstddef>
#include <span>

#include "base/dtype.h"
#include "base/result.h"

namespace weft {

// `elements` is a multiple of the block. f32, f16, bf16, q4_0 … q8_0, q2_k … q6_k.
bool can_dequantize(DType dtype);
bool can_quantize(DType dtype);
void dequantize(DType dtype, const std::byte* blocks, float* out, int64_t elements);
// Values must be finite (all_finite): from NaN or infinity the block formats make blocks without meaning, though never
// undefined behaviour. q4_0 … q8_0 give the same bytes as the published reference.
void quantize(DType dtype, const float* values, std::byte* out, int64_t elements);
bool all_finite(const float* values, int64_t elements);

}  // namespace weft
