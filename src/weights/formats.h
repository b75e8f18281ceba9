// Number formats of weights: a plain reference decoder for each, and an encoder where writing it makes sense. These
// definitions are the judge of every fast kernel; layouts are drawn in docs/file-formats.md.
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
void quantize(DType dtype, const float* values, std::byte* out, int64_t elements);

}  // namespace weft
