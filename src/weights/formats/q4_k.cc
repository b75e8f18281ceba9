// Super-block of 256: f16 d | f16 dmin | 12 bytes of scales and minima (k_scales.h) of 8 groups of 32 | 128 bytes of
// codes; value d * scale * code - dmin * minimum. Byte l (0-31) of 32 bytes p (0-3) has element 64 * p + l in its low
// half and element 64 * p + 32 + l in its high half.
#include "weights/formats/block.h"
#include "weights/formats/k_scales.h"
#include "weights/formats/k_search.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBytes = 144;
}

void decode_q4_k(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, blocks += kBytes, out += kSuperBlock) {
    const float d = load_f16(blocks), dmin = load_f16(blocks + 2);
    const uint8_t *scales = bytes_of(blocks + 4), *codes = bytes_of(blocks + 16);
    for (int g = 0; g < 8; ++g) {
      const auto [scale, minimum] = unpack_scale_min(scales, g);
      const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(minimum);
      const uint8_t* q = codes + g / 2 * 32;
      const int shift = g % 2 * 4;
      for (int l = 0; l < 32; ++l) out[32 * g + l] = s * static_cast<float>(q[l] >> shift & 15) - m;
    }
  }
}

void encode_q4_k(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kSuperBlock; ++b, values += kSuperBlock, out += kBytes) {
    const AffineBlock block = search_affine(values, 32, 15, 63);
    std::memset(out, 0, kBytes);
    store_f16(out, block.d);
    store_f16(out + 2, block.dmin);
    uint8_t *scales = bytes_of(out + 4), *codes = bytes_of(out + 16);
    for (int g = 0; g < 8; ++g) {
      pack_scale_min(scales, g, {block.scale[g], block.minimum[g]});
      uint8_t* q = codes + g / 2 * 32;
      for (int l = 0; l < 32; ++l) q[l] = static_cast<uint8_t>(q[l] | block.code[32 * g + l] << (g % 2 * 4));
    }
  }
}

}  // namespace weft::formats
