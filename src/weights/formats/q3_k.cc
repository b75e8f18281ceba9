// Super-block of 256: 32 bytes of third bits | 64 bytes of low two bits (as q2_k) | 12 bytes: sixteen 6-bit scales |
// f16 d; value d * (scale - 32) * (code - 4). The third bit of element 32 * k + l is bit k of byte l. Scale s has its
// low four bits in byte s % 8 (low half for s < 8, else high) and its top two in byte 8 + s % 4, bits 2 * (s / 4).
#include "weights/formats/block.h"
#include "weights/formats/k_search.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBytes = 110;
}

void decode_q3_k(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, blocks += kBytes, out += kSuperBlock) {
    const uint8_t *high = bytes_of(blocks), *codes = bytes_of(blocks + 32), *scales = bytes_of(blocks + 96);
    const float d = load_f16(blocks + 108);
    for (int g = 0; g < 16; ++g) {
      const int packed = (scales[g % 8] >> (g < 8 ? 0 : 4) & 15) | (scales[8 + g % 4] >> (g / 4 * 2) & 3) << 4;
      const float scale = d * static_cast<float>(packed - 32);
      const uint8_t *q = codes + g / 8 * 32 + g % 2 * 16, *h = high + g % 2 * 16;
      const int shift = g % 8 / 2 * 2, bit = g / 2;
      for (int l = 0; l < 16; ++l)
        out[16 * g + l] = scale * static_cast<float>(((q[l] >> shift & 3) | (h[l] >> bit & 1) << 2) - 4);
    }
  }
}

void encode_q3_k(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, values += kSuperBlock, out += kBytes) {
    const SymmetricBlock block = search_symmetric(values, 4, -32);
    std::memset(out, 0, kBytes);
    uint8_t *high = bytes_of(out), *codes = bytes_of(out + 32), *scales = bytes_of(out + 96);
    store_f16(out + 108, block.d);
    for (int g = 0; g < 16; ++g) {
      const int packed = block.scale[g] + 32;
      scales[g % 8] = static_cast<uint8_t>(scales[g % 8] | (packed & 15) << (g < 8 ? 0 : 4));
      scales[8 + g % 4] = static_cast<uint8_t>(scales[8 + g % 4] | packed >> 4 << (g / 4 * 2));
      uint8_t *q = codes + g / 8 * 32 + g % 2 * 16, *h = high + g % 2 * 16;
      const int shift = g % 8 / 2 * 2, bit = g / 2;
      for (int l = 0; l < 16; ++l) {
        const int code = block.code[16 * g + l];
        q[l] = static_cast<uint8_t>(q[l] | (code & 3) << shift);
        h[l] = static_cast<uint8_t>(h[l] | code >> 2 << bit);
      }
    }
  }
}

}  // namespace weft::formats
