// The coders of every format; formats.cc chooses among them. `n` is a multiple of the format's block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::formats {

#define WEFT_FORMAT(name)                                             \
  void decode_##name(const std::byte* blocks, float* out, int64_t n); \
  void encode_##name(const float* values, std::byte* out, int64_t n);
WEFT_FORMAT(f32)
WEFT_FORMAT(f16)
WEFT_FORMAT(bf16)
WEFT_FORMAT(q4_0)
WEFT_FORMAT(q4_1)
WEFT_FORMAT(q5_0)
WEFT_FORMAT(q5_1)
WEFT_FORMAT(q8_0)
WEFT_FORMAT(q2_k)
WEFT_FORMAT(q3_k)
WEFT_FORMAT(q4_k)
WEFT_FORMAT(q5_k)
WEFT_FORMAT(q6_k)
#undef WEFT_FORMAT

}  // namespace weft::formats
