// Block of 32: f16 scale d | f16 minimum m | 16 bytes of codes as in q4_0; value d * code + m.
#include <algorithm>

#include "weights/formats/block.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBlock = 32, kBytes = 20;
}

void decode_q4_1(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, blocks += kBytes, out += kBlock) {
    const float d = load_f16(blocks), m = load_f16(blocks + 2);
    const uint8_t* q = bytes_of(blocks + 4);
    for (int i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>(q[i] & 15) + m;
      out[i + 16] = d * static_cast<float>(q[i] >> 4) + m;
    }
  }
}

void encode_q4_1(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, values += kBlock, out += kBytes) {
    const auto [least, most] = std::minmax_element(values, values + kBlock);
    const float m = *least, d = (*most - *least) / 15;
    const float id = inverse(d);
    store_f16(out, d);
    store_f16(out + 2, m);
    uint8_t* q = bytes_of(out + 4);
    for (int i = 0; i < 16; ++i) {
      const int low = truncate((values[i] - m) * id + 0.5f, 0, 15);
      const int high = truncate((values[i + 16] - m) * id + 0.5f, 0, 15);
      q[i] = static_cast<uint8_t>(low | high << 4);
    }
  }
}

}  // namespace weft::formats
