#include "weights/formats/block.h"

namespace weft::formats {

void decode_bf16(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = bf16_to_f32(load_u16(blocks + 2 * i));
}

void encode_bf16(const float* values, std::byte* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) store_u16(out + 2 * i, f32_to_bf16(values[i]));
}

}  // namespace weft::formats
