// Block of 32: f16 scale d | 16 bytes: byte i holds the codes of elements i (low) and i + 16 (high); d * (code - 8).
#include "weights/formats/block.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBlock = 32, kBytes = 18;
}

void decode_q4_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, blocks += kBytes, out += kBlock) {
    const float d = load_f16(blocks);
    const uint8_t* q = bytes_of(blocks + 2);
    for (int i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>((q[i] & 15) - 8);
      out[i + 16] = d * static_cast<float>((q[i] >> 4) - 8);
    }
  }
}

void encode_q4_0(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, values += kBlock, out += kBytes) {
    // The value of largest magnitude becomes code 0, which reaches one step further than code 15.
    const float extreme = extreme_of(values, kBlock);
    const float d = extreme / -8;
    const float id = inverse(d);
    store_f16(out, d);
    uint8_t* q = bytes_of(out + 2);
    for (int i = 0; i < 16; ++i) {
      const int low = truncate(values[i] * id + 8.5f, 0, 15);
      const int high = truncate(values[i + 16] * id + 8.5f, 0, 15);
      q[i] = static_cast<uint8_t>(low | high << 4);
    }
  }
}

}  // namespace weft::formats
