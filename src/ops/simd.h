// Vector code for several instruction sets from one source file, chosen at run time by Caps::cpu_level. Highway's
// headers only: its own dispatch needs its library, ours is one macro.
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "ops/scale/scale.cpu.cc"   // this file: it is compiled once per instruction set
//   #include "ops/simd.h"
//   HWY_BEFORE_NAMESPACE();
//   namespace weft::HWY_NAMESPACE {
//   void scale_run(const CpuCall& call, int64_t begin, int64_t end, int worker) { … hn::Mul … }
//   }
//   HWY_AFTER_NAMESPACE();
//   #if HWY_ONCE
//   namespace weft { WEFT_SIMD_RUN(scale_run) … extern const Kernel kScale = {…, .run = scale_run}; }
//   #endif
//
// No include guard around the whole: foreach_target.h and highway.h have their own, per instruction set.
#ifndef WEFT_OPS_SIMD_ONCE
#define WEFT_OPS_SIMD_ONCE

#include <hwy/detect_compiler_arch.h>

#include <algorithm>
#include <cstring>

#include "ops/kernel.h"
// x86-64: SSE2 (always there), AVX2 and AVX-512 with VNNI (named AVX3_DL by Highway). Each more target costs a compile
// of every kernel. Elsewhere: the one that the compiler targets (NEON, WASM SIMD).
#if HWY_ARCH_X86_64
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_ZEN4 | HWY_AVX3_SPR | HWY_AVX10_2)
#define WEFT_SIMD_FUNCTION(level, function)                \
  ((level) == CpuLevel::avx512_vnni ? &N_AVX3_DL::function \
   : (level) == CpuLevel::avx2      ? &N_AVX2::function    \
                                    : &HWY_NAMESPACE::function)
#else
#define HWY_COMPILE_ONLY_STATIC
#define WEFT_SIMD_FUNCTION(level, function) ((void)(level), &HWY_STATIC_DISPATCH(function))
#endif

// Kernel::run that calls `function` of the call's instruction set.
#define WEFT_SIMD_RUN(function)                                                       \
  static void function(const CpuCall& call, int64_t begin, int64_t end, int worker) { \
    WEFT_SIMD_FUNCTION(call.level, function)(call, begin, end, worker);               \
  }

namespace weft {
// Items of about this many elements for steps that only stream over memory.
inline constexpr int64_t kItemElements = 16384;
inline int64_t rows_per_item(int64_t row_elements) {
  return std::max<int64_t>(1, kItemElements / std::max<int64_t>(1, row_elements));
}
inline int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Rows and width of a tensor seen as a matrix of its last dimension.
inline int64_t width_of(const TensorRef& t) { return t.dim[t.rank - 1]; }
inline int64_t rows_of(const TensorRef& t) { return width_of(t) ? t.elements() / width_of(t) : 0; }
}  // namespace weft
#endif  // WEFT_OPS_SIMD_ONCE

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if defined(WEFT_OPS_SIMD_TARGET) == defined(HWY_TARGET_TOGGLE)
#ifdef WEFT_OPS_SIMD_TARGET
#undef WEFT_OPS_SIMD_TARGET
#else
#define WEFT_OPS_SIMD_TARGET
#endif

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 16>;
using I32 = hn::RebindToSigned<F32>;
using VF = hn::Vec<F32>;
using VI = hn::Vec<I32>;
inline constexpr int kLanes = hn::MaxLanes(F32());  // 16, 8 or 4: divides 16

HWY_INLINE VF load_half(const void* p) {
#if HWY_TARGET == HWY_WASM
  // Sign and the other 15 bits where a float has them, then 2^112 for the exponents' difference; Highway's takes 17
  // instructions. Subnormal halves are subnormal floats in between, which is slow but exact.
  const v128_t bits = wasm_i32x4_shl(wasm_i32x4_load16x4(p), 13);
  return VF{wasm_f32x4_mul(wasm_v128_and(bits, wasm_u32x4_const_splat(0x8FFFE000u)), wasm_f32x4_const_splat(0x1p112f))};
#else
  const hn::Rebind<hwy::float16_t, F32> dh;
  return hn::PromoteTo(F32(), hn::LoadU(dh, static_cast<const hwy::float16_t*>(p)));
#endif
}
HWY_INLINE VF load_bfloat(const void* p) {
  const hn::Rebind<uint16_t, F32> dh;
  const hn::RebindToUnsigned<F32> du;
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, static_cast<const uint16_t*>(p)))));
}
// The first n (<= kLanes) of them, zeros behind.
HWY_INLINE VF load_half_n(const void* p, size_t n) {
  const hn::Rebind<hwy::float16_t, F32> dh;
  return hn::PromoteTo(F32(), hn::LoadN(dh, static_cast<const hwy::float16_t*>(p), n));
}
HWY_INLINE VF load_bfloat_n(const void* p, size_t n) {
  const hn::Rebind<uint16_t, F32> dh;
  const hn::RebindToUnsigned<F32> du;
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadN(dh, static_cast<const uint16_t*>(p), n))));
}

// Elements [i, i + n) of a one-dimensional weight (norm, bias), which a file may hold in any float type.
HWY_INLINE VF load_param(const TensorRef& t, int64_t i, size_t n) {
  if (t.dtype == DType::f16) return load_half_n(t.as<uint16_t>() + i, n);
  if (t.dtype == DType::bf16) return load_bfloat_n(t.as<uint16_t>() + i, n);
  return hn::LoadN(F32(), t.as<float>() + i, n);
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
