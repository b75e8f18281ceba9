// Super-block of 256: 16 bytes, one a group of 16 (scale low half, minimum high half) | 64 bytes of 2-bit codes | f16 d
// | f16 dmin; value d * scale * code - dmin * minimum. Codes: of each half of 128 elements, byte l (0-31) of its 32
// bytes has element 32 * k + l in bits 2k, 2k + 1.
#include "weights/formats/block.h"
#include "weights/formats/k_search.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBytes = 84;
}

void decode_q2_k(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, blocks += kBytes, out += kSuperBlock) {
    const uint8_t *scales = bytes_of(blocks), *codes = bytes_of(blocks + 16);
    const float d = load_f16(blocks + 80), dmin = load_f16(blocks + 82);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(scales[g] & 15), minimum = dmin * static_cast<float>(scales[g] >> 4);
      const uint8_t* q = codes + g / 8 * 32 + g % 2 * 16;
      const int shift = g % 8 / 2 * 2;
      for (int l = 0; l < 16; ++l) out[16 * g + l] = scale * static_cast<float>(q[l] >> shift & 3) - minimum;
    }
  }
}

void encode_q2_k(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, values += kSuperBlock, out += kBytes) {
    const AffineBlock block = search_affine(values, 16, 3, 15);
    std::memset(out, 0, kBytes);
    uint8_t *scales = bytes_of(out), *codes = bytes_of(out + 16);
    store_f16(out + 80, block.d);
    store_f16(out + 82, block.dmin);
    for (int g = 0; g < 16; ++g) {
      scales[g] = static_cast<uint8_t>(block.scale[g] | block.minimum[g] << 4);
      uint8_t* q = codes + g / 8 * 32 + g % 2 * 16;
      const int shift = g % 8 / 2 * 2;
      for (int l = 0; l < 16; ++l) q[l] = static_cast<uint8_t>(q[l] | block.code[16 * g + l] << shift);
    }
  }
}

}  // namespace weft::formats
