// linear and linear_add with float activations: weights f32, f16 and bf16 in place; block formats of any layout are
// turned into floats 16 rows at a time (exact, for models whose activations are not quantised). Sums in f32: kLanes
// partial sums over k in order, then across lanes, for every tile alike, so decode and prefill agree in every bit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/linear_plain.cpu.cc"
#include "ops/linear/formats-inl.h"
#include "ops/linear/linear_args.h"
#include "ops/linear/rows16.h"
#include "ops/simd.h"

// The end of a tile. In WebAssembly one function for all: 60 KB less to download and faster, but natively 3 to 5 %
// slower.
#undef WEFT_FINISH_TILE
#if HWY_ARCH_WASM
#define WEFT_FINISH_TILE HWY_NOINLINE
#else
#define WEFT_FINISH_TILE HWY_INLINE
#endif

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

struct FloatRows {
  static constexpr int kBytes = 4;
  static HWY_INLINE VF load(const uint8_t* p) { return hn::LoadU(F32(), reinterpret_cast<const float*>(p)); }
  static HWY_INLINE VF load_n(const uint8_t* p, size_t n) {
    return hn::LoadN(F32(), reinterpret_cast<const float*>(p), n);
  }
};
struct HalfRows {
  static constexpr int kBytes = 2;
  static HWY_INLINE VF load(const uint8_t* p) { return load_half(p); }
  static HWY_INLINE VF load_n(const uint8_t* p, size_t n) { return load_half_n(p, n); }
};
struct BfloatRows {
  static constexpr int kBytes = 2;
  static HWY_INLINE VF load(const uint8_t* p) { return load_bfloat(p); }
  static HWY_INLINE VF load_n(const uint8_t* p, size_t n) { return load_bfloat_n(p, n); }
};

// What follows the loop of a tile: the last columns, which fill no vector, the sums across lanes, bias, residual.
// `sums` is [rows][tokens] vectors.
template <class Rows>
WEFT_FINISH_TILE void finish_tile(const uint8_t* w, const LinearArgs& args, int64_t n, int64_t t0, int rows, int tokens,
                                  const float* sums) {
  const F32 d;
  const float* x = args.x.as<float>() + t0 * args.k;
  const int64_t k = args.k / kLanes * kLanes;
  const size_t rest = static_cast<size_t>(args.k - k);
  for (int r = 0; r < rows; ++r) {
    for (int t = 0; t < tokens; ++t, sums += kLanes) {
      VF sum = hn::LoadU(d, sums);
      if (rest) {
        const VF wv = Rows::load_n(w + (r * args.k + k) * Rows::kBytes, rest);
        sum = hn::MulAdd(wv, hn::LoadN(d, x + t * args.k + k, rest), sum);
      }
      const int64_t at = (t0 + t) * args.n + n + r;
      float value = hn::ReduceSum(d, sum);
      if (args.bias) value += hn::GetLane(load_param(*args.bias, n + r, 1));
      if (args.residual) value += args.residual->as<float>()[at];
      args.y[at] = value;
    }
  }
}

// kRows rows from `w` times kTokens tokens; column n of y.
template <class Rows, int kRows, int kTokens>
HWY_INLINE void dot_tile(const uint8_t* w, const LinearArgs& args, int64_t n, int64_t t0) {
  const F32 d;
  const float* x = args.x.as<float>() + t0 * args.k;
  const int64_t stride = args.k * Rows::kBytes;
  VF sum[kRows][kTokens];
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTokens; ++t) sum[r][t] = hn::Zero(d);
  }
  for (int64_t k = 0; k + kLanes <= args.k; k += kLanes) {
    VF xv[kTokens];
    HWY_UNROLL()
    for (int t = 0; t < kTokens; ++t) xv[t] = hn::LoadU(d, x + t * args.k + k);
    HWY_UNROLL()
    for (int r = 0; r < kRows; ++r) {
      const VF wv = Rows::load(w + r * stride + k * Rows::kBytes);
      HWY_UNROLL()
      for (int t = 0; t < kTokens; ++t) sum[r][t] = hn::MulAdd(wv, xv[t], sum[r][t]);
    }
  }
  float sums[kRows * kTokens * kLanes];
  for (int r = 0; r < kRows; ++r) {
    for (int t = 0; t < kTokens; ++t) hn::StoreU(sum[r][t], d, sums + (r * kTokens + t) * kLanes);
  }
  finish_tile<Rows>(w, args, n, t0, kRows, kTokens, sums);
}

template <class Rows, int kRows>
HWY_INLINE void dot_tokens(const uint8_t* w, const LinearArgs& args, int64_t n, int64_t begin, int64_t end) {
  int64_t t = begin;
  for (; t + 4 <= end; t += 4) dot_tile<Rows, kRows, 4>(w, args, n, t);
  for (; t < end; ++t) dot_tile<Rows, kRows, 1>(w, args, n, t);
}

// Up to 16 rows from n0 that lie one after the other at `w`.
template <class Rows>
HWY_NOINLINE void dot_group(const uint8_t* w, const LinearArgs& args, int64_t n0, const LinearItem& item) {
  const int64_t stride = args.k * Rows::kBytes, rows = std::min<int64_t>(16, args.n - n0);
  // Registers: rows x tokens sums and one vector each; 4 x 4 need AVX-512's or NEON's 32.
  constexpr int kRows = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE2 ? 2 : 4;
  int64_t r = 0;
  if (item.token_end - item.token_begin == 1) {
    // One token: more rows at once keep more reads of the weights under way.
    for (; r + 8 <= rows; r += 8) dot_tile<Rows, 8, 1>(w + r * stride, args, n0 + r, item.token_begin);
  }
  for (; r + kRows <= rows; r += kRows) {
    dot_tokens<Rows, kRows>(w + r * stride, args, n0 + r, item.token_begin, item.token_end);
  }
  for (; r < rows; ++r) dot_tokens<Rows, 1>(w + r * stride, args, n0 + r, item.token_begin, item.token_end);
}

void linear_float_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const LinearArgs args(call);
  for (int64_t i = begin; i < end; ++i) {
    const LinearItem item(args, i);
    const int64_t n0 = item.group * 16;
    const uint8_t* w = args.weight.as<uint8_t>() + n0 * row_bytes(args.weight.dtype, args.k);
    switch (args.weight.dtype) {
      case DType::f16:
        dot_group<HalfRows>(w, args, n0, item);
        break;
      case DType::bf16:
        dot_group<BfloatRows>(w, args, n0, item);
        break;
      default:
        dot_group<FloatRows>(w, args, n0, item);
    }
  }
}

void linear_dequantized_run(const CpuCall& call, int64_t begin, int64_t end, int worker) {
  const LinearArgs args(call);
  float* rows = reinterpret_cast<float*>(call.scratch.data()) + worker * 16 * args.k;
  const DType dtype = args.weight.dtype;
  const int64_t bytes = row_bytes(dtype, args.k);
  for (int64_t i = begin; i < end; ++i) {
    const LinearItem item(args, i);
    const int64_t n0 = item.group * 16;
    for (int64_t r = 0; r < std::min<int64_t>(16, args.n - n0); ++r) {
      if (args.weight.layout == WeightLayout::rows16) {
        rows16::unpack_row(dtype, args.k, args.weight.as<uint8_t>(), n0 + r, rows + r * args.k);
      } else {
        dequantize_row(dtype, args.weight.as<uint8_t>() + (n0 + r) * bytes, args.k, rows + r * args.k);
      }
    }
    dot_group<FloatRows>(reinterpret_cast<const uint8_t*>(rows), args, n0, item);
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(linear_float_run)
WEFT_SIMD_RUN(linear_dequantized_run)

bool supports_float(const OpCall& call, const Caps&) {
  const DType w = call.in[1].dtype;
  return is_linear_with(call, DType::f32) && (w == DType::f32 || w == DType::f16 || w == DType::bf16);
}
bool supports_dequantized(const OpCall& call, const Caps&) {
  return is_linear_with(call, DType::f32) && is_block(call.in[1].dtype) && call.in[1].dtype != DType::i8_32;
}
int64_t dequantized_scratch(const OpCall& call, std::span<const int64_t>, int workers) {
  return call.in[1].shape[1].count * 16 * 4 * workers;
}
}  // namespace

extern const Kernel kLinearFloat{.name = "linear.float",
                                 .op = Op::linear,
                                 .supports = supports_float,
                                 .items = linear_items,
                                 .run = linear_float_run};
extern const Kernel kLinearAddFloat{.name = "linear_add.float",
                                    .op = Op::linear_add,
                                    .supports = supports_float,
                                    .items = linear_items,
                                    .run = linear_float_run};
extern const Kernel kLinearDequantized{.name = "linear.dequantized",
                                       .op = Op::linear,
                                       .supports = supports_dequantized,
                                       .items = linear_items,
                                       .run = linear_dequantized_run,
                                       .scratch_bytes = dequantized_scratch};
extern const Kernel kLinearAddDequantized{.name = "linear_add.dequantized",
                                          .op = Op::linear_add,
                                          .supports = supports_dequantized,
                                          .items = linear_items,
                                          .run = linear_dequantized_run,
                                          .scratch_bytes = dequantized_scratch};
}  // namespace weft
#endif
