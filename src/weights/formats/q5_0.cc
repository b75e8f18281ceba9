// Block of 32: f16 scale d | u32 whose bit i is the fifth bit of code i | 16 bytes of low bits as in q4_0;
// value d * (code - 16).
#include "weights/formats/block.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBlock = 32, kBytes = 22;
}

void decode_q5_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, blocks += kBytes, out += kBlock) {
    const float d = load_f16(blocks);
    uint32_t high;
    std::memcpy(&high, blocks + 2, sizeof high);
    const uint8_t* q = bytes_of(blocks + 6);
    for (int i = 0; i < 16; ++i) {
      const int first = (q[i] & 15) | static_cast<int>(high >> i << 4 & 16);
      const int second = (q[i] >> 4) | static_cast<int>(high >> (i + 16) << 4 & 16);
      out[i] = d * static_cast<float>(first - 16);
      out[i + 16] = d * static_cast<float>(second - 16);
    }
  }
}

void encode_q5_0(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, values += kBlock, out += kBytes) {
    const float extreme = extreme_of(values, kBlock);
    const float d = extreme / -16;
    const float id = inverse(d);
    store_f16(out, d);
    uint32_t bits = 0;
    uint8_t* q = bytes_of(out + 6);
    for (int i = 0; i < 16; ++i) {
      const int low = truncate(values[i] * id + 16.5f, 0, 31);
      const int high = truncate(values[i + 16] * id + 16.5f, 0, 31);
      q[i] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
      bits |= static_cast<uint32_t>(low >> 4) << i | static_cast<uint32_t>(high >> 4) << (i + 16);
    }
    std::memcpy(out + 2, &bits, sizeof bits);
  }
}

}  // namespace weft::formats
