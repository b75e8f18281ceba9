// What is undone or done to the rows of a weight while it is read.
#pragma once

#include <cstddef>
#include <span>

#include "base/dtype.h"

namespace weft {

// GGUF files of the llama architecture keep the rows of q and k with the two elements of a rotary pair next to each
// other: row 2j of a head is row j of Hugging Face's order, row 2j + 1 is row j + D/2. Moves whole rows, so it holds
// for quantised rows too. `in` and `out` are heads * head_dim rows of `row_bytes`; head_dim is even.
void interleaved_to_half_rope(std::span<const std::byte> in, std::span<std::byte> out, size_t row_bytes,
                              size_t head_dim);

// 1 + w in f32: Gemma's norms in safetensors hold w, and 1 + w does not fit bf16. `in` is f32, f16 or bf16.
void add_one(DType dtype, std::span<const std::byte> in, std::span<float> out);

}  // namespace weft
