// Block of 32: f16 scale d | f16 minimum m | u32 of fifth bits | 16 bytes of low bits (see q5_0); value d * code + m.
#include <algorithm>

#include "weights/formats/block.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBlock = 32, kBytes = 24;
}

void decode_q5_1(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, blocks += kBytes, out += kBlock) {
    const float d = load_f16(blocks), m = load_f16(blocks + 2);
    uint32_t high;
    std::memcpy(&high, blocks + 4, sizeof high);
    const uint8_t* q = bytes_of(blocks + 8);
    for (int i = 0; i < 16; ++i) {
      const int first = (q[i] & 15) | static_cast<int>(high >> i << 4 & 16);
      const int second = (q[i] >> 4) | static_cast<int>(high >> (i + 16) << 4 & 16);
      out[i] = d * static_cast<float>(first) + m;
      out[i + 16] = d * static_cast<float>(second) + m;
    }
  }
}

void encode_q5_1(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, values += kBlock, out += kBytes) {
    const auto [least, most] = std::minmax_element(values, values + kBlock);
    const float m = *least, d = (*most - *least) / 31;
    const float id = inverse(d);
    store_f16(out, d);
    store_f16(out + 2, m);
    uint32_t bits = 0;
    uint8_t* q = bytes_of(out + 8);
    for (int i = 0; i < 16; ++i) {
      const int low = truncate((values[i] - m) * id + 0.5f, 0, 31);
      const int high = truncate((values[i + 16] - m) * id + 0.5f, 0, 31);
      q[i] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
      bits |= static_cast<uint32_t>(low >> 4) << i | static_cast<uint32_t>(high >> 4) << (i + 16);
    }
    std::memcpy(out + 4, &bits, sizeof bits);
  }
}

}  // namespace weft::formats
