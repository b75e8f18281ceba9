// Rows of the block formats taken apart: one byte a weight, and scales:
//   w[i] = scale[unit] * (u8[i] - offset) - min[unit]   with units of 32 or 16 weights; formats with a minimum have no
// offset, formats with an offset no minimum. Written as plain loops that the compiler vectorises for each instruction
// set. The formats: docs/file-formats.md.
#include "ops/simd.h"

#if defined(WEFT_LINEAR_FORMATS) == defined(HWY_TARGET_TOGGLE)
#ifdef WEFT_LINEAR_FORMATS
#undef WEFT_LINEAR_FORMATS
#else
#define WEFT_LINEAR_FORMATS
#endif

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

struct FormatTraits {
  int unit;   // weights that share a scale: 32 or 16
  int shift;  // the offset is 2^shift; 0: no offset
  bool has_min;
};
HWY_INLINE FormatTraits format_traits(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return {32, 3, false};
    case DType::q5_0:
      return {32, 4, false};
    case DType::q8_0:
      return {32, 7, false};
    case DType::q2_k:
      return {16, 0, true};
    case DType::q3_k:
      return {16, 2, false};
    case DType::q6_k:
      return {16, 5, false};
    default:
      return {32, 0, true};  // q4_1, q5_1, q4_k, q5_k
  }
}

// One f16, by the processor's instruction where it has one: two of these a block took half of Q4_1's time in half.h.
HWY_INLINE float half_at(const uint8_t* p) {
  const hn::CappedTag<float, 1> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> dh;
  return hn::GetLane(hn::PromoteTo(d, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(p))));
}

// `min` is what is subtracted; formats that add their minimum give it negated.
template <DType kType>
HWY_INLINE void unpack_block(const uint8_t* in, uint8_t* u, float* scale, float* min) {
  if constexpr (kType == DType::q4_0 || kType == DType::q4_1) {
    constexpr int kHead = kType == DType::q4_0 ? 2 : 4;
    scale[0] = half_at(in);
    if constexpr (kHead == 4) min[0] = -half_at(in + 2);
    for (int i = 0; i < 16; ++i) {
      u[i] = in[kHead + i] & 15;
      u[i + 16] = in[kHead + i] >> 4;
    }
  } else if constexpr (kType == DType::q5_0 || kType == DType::q5_1) {
    constexpr int kHead = kType == DType::q5_0 ? 2 : 4;
    scale[0] = half_at(in);
    if constexpr (kHead == 4) min[0] = -half_at(in + 2);
    uint32_t high;
    std::memcpy(&high, in + kHead, 4);
    for (uint32_t i = 0; i < 16; ++i) {
      u[i] = static_cast<uint8_t>((in[kHead + 4 + i] & 15) | (high >> i & 1) << 4);
      u[i + 16] = static_cast<uint8_t>(in[kHead + 4 + i] >> 4 | (high >> (i + 16) & 1) << 4);
    }
  } else if constexpr (kType == DType::q8_0) {
    scale[0] = half_at(in);
    for (int i = 0; i < 32; ++i) u[i] = in[2 + i] ^ 0x80;
  } else if constexpr (kType == DType::q2_k) {
    const uint8_t* quants = in + 16;
    const float d = half_at(in + 80), dmin = half_at(in + 82);
    for (int i = 0; i < 16; ++i) {
      scale[i] = d * static_cast<float>(in[i] & 15);
      min[i] = dmin * static_cast<float>(in[i] >> 4);
    }
    for (int half = 0; half < 2; ++half) {
      for (int j = 0; j < 4; ++j) {
        for (int l = 0; l < 32; ++l) u[half * 128 + j * 32 + l] = quants[half * 32 + l] >> (2 * j) & 3;
      }
    }
  } else if constexpr (kType == DType::q3_k) {
    const uint8_t *high = in, *quants = in + 32, *packed = in + 96;
    const float d = half_at(in + 108);
    for (int i = 0; i < 16; ++i) {
      const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
      scale[i] = d * static_cast<float>((low | (packed[8 + i % 4] >> (2 * (i / 4)) & 3) << 4) - 32);
    }
    for (int half = 0; half < 2; ++half) {
      for (int j = 0; j < 4; ++j) {
        for (int l = 0; l < 32; ++l) {
          u[half * 128 + j * 32 + l] =
              static_cast<uint8_t>((quants[half * 32 + l] >> (2 * j) & 3) | (high[l] >> (half * 4 + j) & 1) << 2);
        }
      }
    }
  } else if constexpr (kType == DType::q4_k || kType == DType::q5_k) {
    const float d = half_at(in), dmin = half_at(in + 2);
    const uint8_t* packed = in + 4;
    for (int j = 0; j < 8; ++j) {
      const int s = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
      const int m = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
      scale[j] = d * static_cast<float>(s);
      min[j] = dmin * static_cast<float>(m);
    }
    const uint8_t* high = in + 16;
    const uint8_t* quants = in + (kType == DType::q4_k ? 16 : 48);
    for (int pair = 0; pair < 4; ++pair) {
      for (int l = 0; l < 32; ++l) {
        uint8_t low = quants[pair * 32 + l] & 15, top = quants[pair * 32 + l] >> 4;
        if constexpr (kType == DType::q5_k) {
          low |= static_cast<uint8_t>((high[l] >> (2 * pair) & 1) << 4);
          top |= static_cast<uint8_t>((high[l] >> (2 * pair + 1) & 1) << 4);
        }
        u[pair * 64 + l] = low;
        u[pair * 64 + 32 + l] = top;
      }
    }
  } else {
    static_assert(kType == DType::q6_k);
    const float d = half_at(in + 208);
    for (int i = 0; i < 16; ++i) scale[i] = d * static_cast<float>(static_cast<int8_t>(in[192 + i]));
    for (int half = 0; half < 2; ++half) {
      const uint8_t *low = in + half * 64, *high = in + 128 + half * 32;
      uint8_t* out = u + half * 128;
      for (int l = 0; l < 32; ++l) {
        out[l] = static_cast<uint8_t>((low[l] & 15) | (high[l] & 3) << 4);
        out[l + 32] = static_cast<uint8_t>((low[l + 32] & 15) | (high[l] >> 2 & 3) << 4);
        out[l + 64] = static_cast<uint8_t>(low[l] >> 4 | (high[l] >> 4 & 3) << 4);
        out[l + 96] = static_cast<uint8_t>(low[l + 32] >> 4 | high[l] >> 6 << 4);
      }
    }
  }
}

template <DType kType>
void unpack_row_of(const uint8_t* row, int64_t k, uint8_t* u, float* scale, float* min) {
  constexpr bool kSuper = kType >= DType::q2_k && kType <= DType::q6_k;
  constexpr int kBlock = kSuper ? 256 : 32;
  const int bytes = info(kType).bytes, units = kBlock / format_traits(kType).unit;
  for (int64_t i = 0; i < k; i += kBlock, row += bytes, u += kBlock, scale += units, min += units) {
    unpack_block<kType>(row, u, scale, min);
  }
}

using UnpackRow = void (*)(const uint8_t* row, int64_t k, uint8_t* u, float* scale, float* min);
HWY_INLINE UnpackRow unpack_function(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return unpack_row_of<DType::q4_0>;
    case DType::q4_1:
      return unpack_row_of<DType::q4_1>;
    case DType::q5_0:
      return unpack_row_of<DType::q5_0>;
    case DType::q5_1:
      return unpack_row_of<DType::q5_1>;
    case DType::q8_0:
      return unpack_row_of<DType::q8_0>;
    case DType::q2_k:
      return unpack_row_of<DType::q2_k>;
    case DType::q3_k:
      return unpack_row_of<DType::q3_k>;
    case DType::q4_k:
      return unpack_row_of<DType::q4_k>;
    case DType::q5_k:
      return unpack_row_of<DType::q5_k>;
    case DType::q6_k:
      return unpack_row_of<DType::q6_k>;
    default:
      return nullptr;
  }
}

// A row of any block format as floats, as the format defines them.
HWY_INLINE void dequantize_row(DType dtype, const uint8_t* row, int64_t k, float* out) {
  const FormatTraits traits = format_traits(dtype);
  const UnpackRow unpack = unpack_function(dtype);
  const DTypeInfo& block = info(dtype);
  const float offset = traits.shift ? static_cast<float>(1 << traits.shift) : 0.0f;
  uint8_t u[256];
  float scale[16], min[16];
  for (int64_t i = 0; i < k; i += block.block, row += block.bytes) {
    unpack(row, block.block, u, scale, min);
    for (int unit = 0; unit < block.block / traits.unit; ++unit) {
      const float subtract = traits.has_min ? min[unit] : 0.0f;
      for (int j = 0; j < traits.unit; ++j) {
        const float q = static_cast<float>(u[unit * traits.unit + j]) - offset;
        *out++ = scale[unit] * q - subtract;
      }
    }
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
