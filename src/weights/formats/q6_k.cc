// Super-block of 256: 128 bytes of low four bits | 64 bytes of high two bits | 16 x i8 scale, one a group of 16 | f16
// d; value d * scale * (code - 32). Of each half of 128 elements, with l = 0-31: element 32 * k + l has its low bits in
// byte l + 32 * (k % 2) of the half's 64 (low half of the byte for k < 2), its high bits in byte l of the half's 32,
// bits 2k.
#include "weights/formats/block.h"
#include "weights/formats/k_search.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBytes = 210;
}

void decode_q6_k(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, blocks += kBytes, out += kSuperBlock) {
    const uint8_t *low = bytes_of(blocks), *high = bytes_of(blocks + 128);
    const auto* scales = reinterpret_cast<const int8_t*>(blocks + 192);
    const float d = load_f16(blocks + 208);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(scales[g]);
      const int half = g / 8, k = g % 8 / 2, l0 = g % 2 * 16;
      const uint8_t *q = low + half * 64 + k % 2 * 32 + l0, *h = high + half * 32 + l0;
      const int shift = k / 2 * 4;
      for (int l = 0; l < 16; ++l)
        out[16 * g + l] = scale * static_cast<float>(((q[l] >> shift & 15) | (h[l] >> (2 * k) & 3) << 4) - 32);
    }
  }
}

void encode_q6_k(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, values += kSuperBlock, out += kBytes) {
    const SymmetricBlock block = search_symmetric(values, 32, -128);
    std::memset(out, 0, kBytes);
    uint8_t *low = bytes_of(out), *high = bytes_of(out + 128);
    store_f16(out + 208, block.d);
    for (int g = 0; g < 16; ++g) {
      out[192 + g] = static_cast<std::byte>(block.scale[g]);
      const int half = g / 8, k = g % 8 / 2, l0 = g % 2 * 16;
      uint8_t *q = low + half * 64 + k % 2 * 32 + l0, *h = high + half * 32 + l0;
      for (int l = 0; l < 16; ++l) {
        const int code = block.code[16 * g + l];
        q[l] = static_cast<uint8_t>(q[l] | (code & 15) << (k / 2 * 4));
        h[l] = static_cast<uint8_t>(h[l] | code >> 4 << (2 * k));
      }
    }
  }
}

}  // namespace weft::formats
