#include "weights/formats/block.h"

namespace weft::formats {
namespace {

// f16_to_f32 with selections instead of branches, so that the loop vectorises (a test compares all 65536 values).
float widen(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7FFF;
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = magnitude << 13 | 0x7F800000;
  const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  return std::bit_cast<float>(sign | (magnitude < 0x400 ? subnormal : magnitude >= 0x7C00 ? special : normal));
}

}  // namespace

void decode_f16(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = widen(load_u16(blocks + 2 * i));
}

void encode_f16(const float* values, std::byte* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) store_u16(out + 2 * i, f32_to_f16(values[i]));
}

}  // namespace weft::formats
