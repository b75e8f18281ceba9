// The inner loop of every product with quantised activations: 16 rows of a weight panel times a few tokens, all sums
// in registers. Compiled once per instruction set (see ops/simd.h).
//
// A Panel gives, for block b of 32 columns, the vector of 4 columns x 16 rows (u8), and for each of its kUnits parts
// (32 or 2 x 16 columns) 16 scales and, if kHasMin, 16 values to add:
//   w[row][column] = scale * (u8 - offset) + min
// The offset is a power of two and is corrected in integers through the block's negated sum of activations, so the
// products are exact and the float sum of a (row, token) runs over the units in order: the same bits for every tile
// width, hence for decode and prefill.
#include "ops/linear/linear_args.h"
#include "ops/linear/rows16.h"
#include "ops/simd.h"

#if defined(WEFT_LINEAR_TILE) == defined(HWY_TARGET_TOGGLE)
#ifdef WEFT_LINEAR_TILE
#undef WEFT_LINEAR_TILE
#else
#define WEFT_LINEAR_TILE
#endif

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

using U8 = hn::Repartition<uint8_t, I32>;
using I8 = hn::Repartition<int8_t, I32>;
using VU8 = hn::Vec<U8>;

// Rows of i8_32.
struct QuantizedRows {
  const uint8_t* data;
  int64_t k, row_bytes;
  const int32_t* half_negsums = nullptr;  // [rows][k / 16] for panels with two units

  const uint8_t* quants(int64_t t) const { return data + t * row_bytes; }
  const float* scales(int64_t t) const { return reinterpret_cast<const float*>(quants(t) + k); }
  const int32_t* negsums(int64_t t) const { return reinterpret_cast<const int32_t*>(quants(t) + k + k / 8); }
};

// Where the sums of a tile go: 16 columns of y from column n0, with bias and residual.
struct TileStore {
  float* y;
  const float* residual;
  const float* bias;  // 16 floats
  int64_t stride;
  int lanes;  // columns of y that exist, 1..16

  // Tried: the store of fewer than kLanes columns as a function of its own. 4 KB less WebAssembly, but it read a prompt
  // 7 % slower (Q4_K), although nothing called it.
  HWY_INLINE void operator()(int64_t t, int part, VF sum) const {
    const F32 d;
    if (lanes <= part) return;
    float* out = y + t * stride + part;
    const size_t n = static_cast<size_t>(std::min(lanes - part, kLanes));
    if (bias) sum = hn::Add(sum, hn::LoadU(d, bias + part));
    if (n == static_cast<size_t>(kLanes)) {
      if (residual) sum = hn::Add(sum, hn::LoadU(d, residual + t * stride + part));
      hn::StoreU(sum, d, out);
    } else {
      if (residual) sum = hn::Add(sum, hn::LoadN(d, residual + t * stride + part, n));
      hn::StoreN(sum, d, out, n);
    }
  }
};

// acc += the four products of each lane. kSmall: weights at most 127, so that a pair of products fits 16 bits.
template <bool kSmall>
HWY_INLINE VI dot4(VI acc, VU8 weights, int32_t x4) {
  const I32 di;
  const VU8 xu = hn::BitCast(U8(), hn::Set(di, x4));
#if HWY_TARGET == HWY_AVX2
  const hn::Repartition<int16_t, I32> d16;
  const auto xs = hn::BitCast(I8(), xu);
  if constexpr (kSmall) {
    return hn::Add(acc, hn::WidenMulPairwiseAdd(di, hn::SatWidenMulPairwiseAdd(d16, weights, xs), hn::Set(d16, 1)));
  } else {
    // |w| times x with w's sign: two products are at most 2 * 128 * 127 and fit.
    const VU8 flip = hn::Set(U8(), uint8_t{0x80});
    const auto w = hn::BitCast(I8(), hn::Xor(weights, flip));
    const hn::Vec<I8> signed_x{_mm256_sign_epi8(xs.raw, w.raw)};
    const VU8 magnitude = hn::BitCast(U8(), hn::Abs(w));
    return hn::Add(acc,
                   hn::WidenMulPairwiseAdd(di, hn::SatWidenMulPairwiseAdd(d16, magnitude, signed_x), hn::Set(d16, 1)));
  }
#else
  return hn::SumOfMulQuadAccumulate(di, weights, hn::BitCast(I8(), xu), acc);
#endif
}
// AVX2 multiplies signed weights when they are large, and then there is no offset to correct.
template <bool kSmall>
inline constexpr bool kOffsetInDot = HWY_TARGET == HWY_AVX2 && !kSmall;

template <int kTokens, class Panel>
HWY_INLINE void tile(const Panel& panel, int64_t blocks, const QuantizedRows& x, int64_t t0, const TileStore& store) {
  const F32 df;
  const I32 di;
  constexpr int kQuads = 8 / Panel::kUnits;
  const uint8_t* xq[kTokens];
  const float* xs[kTokens];
  const int32_t* xn[kTokens];
  for (int t = 0; t < kTokens; ++t) {
    xq[t] = x.quants(t0 + t);
    xs[t] = x.scales(t0 + t);
    xn[t] = Panel::kUnits == 2 ? x.half_negsums + (t0 + t) * (x.k / 16) : x.negsums(t0 + t);
  }
  for (int part = 0; part < 16; part += kLanes) {
    VF sum[kTokens];
    for (int t = 0; t < kTokens; ++t) sum[t] = hn::Zero(df);
    for (int64_t b = 0; b < blocks; ++b) {
      if constexpr (kTokens == 1) panel.prefetch(b, part);
      HWY_UNROLL(2)
      for (int unit = 0; unit < Panel::kUnits; ++unit) {
        VI acc[kTokens];
        HWY_UNROLL()
        for (int t = 0; t < kTokens; ++t) {
          acc[t] = kOffsetInDot<Panel::kSmall> ? hn::Zero(di)
                                               : panel.correction(hn::Set(di, xn[t][b * Panel::kUnits + unit]));
        }
        HWY_UNROLL()
        for (int quad = 0; quad < kQuads; ++quad) {
          const VU8 w = panel.quad(b, unit * kQuads + quad, part);
          HWY_UNROLL()
          for (int t = 0; t < kTokens; ++t) {
            int32_t x4;
            std::memcpy(&x4, xq[t] + b * 32 + (unit * kQuads + quad) * 4, 4);
            acc[t] = dot4<Panel::kSmall>(acc[t], w, x4);
          }
        }
        const VF scale = panel.scale(b, unit, part);
        HWY_UNROLL()
        for (int t = 0; t < kTokens; ++t) {
          sum[t] = hn::MulAdd(hn::ConvertTo(df, acc[t]), hn::Mul(scale, hn::Set(df, xs[t][b])), sum[t]);
        }
        if constexpr (Panel::kHasMin) {
          const VF negmin = panel.negmin(b, unit, part);
          for (int t = 0; t < kTokens; ++t) {
            const float factor = xs[t][b] * static_cast<float>(xn[t][b * Panel::kUnits + unit]);
            sum[t] = hn::MulAdd(negmin, hn::Set(df, factor), sum[t]);
          }
        }
      }
    }
    for (int t = 0; t < kTokens; ++t) store(t0 + t, part, sum[t]);
  }
}

// Registers: 2 sums a token, weights and scales. 16 on AVX2 and SSE2, 32 on AVX-512 and NEON.
inline constexpr int kWideTile = HWY_TARGET == HWY_AVX3_DL ? 8 : 4;

template <class Panel>
HWY_INLINE void tiles(const Panel& panel, int64_t blocks, const QuantizedRows& x, int64_t begin, int64_t end,
                      const TileStore& store) {
  int64_t t = begin;
  for (; t + kWideTile <= end; t += kWideTile) tile<kWideTile>(panel, blocks, x, t, store);
  if constexpr (kWideTile > 4) {
    for (; t + 4 <= end; t += 4) tile<4>(panel, blocks, x, t, store);
  }
  for (; t < end; ++t) tile<1>(panel, blocks, x, t, store);
}

// The store of one item, with its 16 biases as floats in `bias16`.
HWY_INLINE TileStore make_store(const LinearArgs& args, int64_t group, float* bias16) {
  const int64_t n0 = group * 16;
  const int lanes = static_cast<int>(std::min<int64_t>(16, args.n - n0));
  if (args.bias) {
    for (int i = 0; i < 16; ++i) bias16[i] = 0;
    for (int i = 0; i < lanes; i += kLanes) {
      const size_t n = static_cast<size_t>(std::min(kLanes, lanes - i));
      hn::StoreU(load_param(*args.bias, n0 + i, n), F32(), bias16 + i);
    }
  }
  return {args.y + n0, args.residual ? args.residual->as<float>() + n0 : nullptr, args.bias ? bias16 : nullptr, args.n,
          lanes};
}

// With one token the weights come from memory at the pace at which the core asks for lines. The processor's own
// prefetcher stops at each 4 KB and reached 16.3 (Q8_0) and 11.4 GB/s (Q4_0) on one Emerald Rapids core; asking for the
// line 4 KB ahead into the second-level cache gives 16.8 and 16.0, which is all that one core can have in flight.
// Tried, did not help: 1 KB ahead (13.4), into the first level (15.2, its 16 line buffers are the limit).
inline constexpr int kPrefetchAhead = 4096;
template <int kBytes>
HWY_INLINE void prefetch_block(const uint8_t* block, int part) {
  if (part) return;
  HWY_UNROLL()
  for (int i = 0; i < kBytes; i += 64) __builtin_prefetch(block + kPrefetchAhead + i, 0, 2);
}

// A block of rows16 Q8_0, in memory; also Q4_0 widened to it (kShift 3: offset 8).
template <int kShift, bool kSmallWeights>
struct Rows16Panel {
  static constexpr int kUnits = 1;
  static constexpr bool kHasMin = false, kSmall = kSmallWeights;
  const uint8_t* base;
  HWY_INLINE VU8 quad(int64_t b, int q, int part) const {
    return hn::LoadU(U8(), base + b * rows16::kBlockQ8 + rows16::kScaleBytes + q * 64 + part * 4);
  }
  HWY_INLINE VF scale(int64_t b, int, int part) const { return load_half(base + b * rows16::kBlockQ8 + part * 2); }
  HWY_INLINE VI correction(VI negsum) const { return hn::ShiftLeft<kShift>(negsum); }
  HWY_INLINE void prefetch(int64_t b, int part) const {
    prefetch_block<rows16::kBlockQ8>(base + b * rows16::kBlockQ8, part);
  }
};

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
