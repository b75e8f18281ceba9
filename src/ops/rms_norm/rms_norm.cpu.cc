// rms_norm and add_rms_norm: a row at a time, sum of squares in f32 (kLanes x 2 partial sums).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rms_norm/rms_norm.cpu.cc"
#include <cmath>

#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

HWY_INLINE void norm_row(const float* x, const TensorRef& weight, float eps, int64_t c, float* y) {
  const F32 d;
  VF sum0 = hn::Zero(d), sum1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * kLanes <= c; i += 2 * kLanes) {
    const VF a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + kLanes);
    sum0 = hn::MulAdd(a, a, sum0);
    sum1 = hn::MulAdd(b, b, sum1);
  }
  for (; i < c; i += kLanes) {
    const VF a = hn::LoadN(d, x + i, static_cast<size_t>(c - i));
    sum0 = hn::MulAdd(a, a, sum0);
  }
  const float mean = hn::ReduceSum(d, hn::Add(sum0, sum1)) / static_cast<float>(c);
  const VF factor = hn::Set(d, 1 / std::sqrt(mean + eps));
  for (i = 0; i < c; i += kLanes) {
    const size_t n = static_cast<size_t>(c - i);
    const VF value = hn::Mul(hn::Mul(hn::LoadN(d, x + i, n), factor), load_param(weight, i, n));
    hn::StoreN(value, d, y + i, n);
  }
}

void rms_norm_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const int64_t c = width_of(call.in[0]), per_item = rows_per_item(c);
  const int64_t last = std::min(rows_of(call.in[0]), end * per_item);
  for (int64_t row = begin * per_item; row < last; ++row) {
    norm_row(call.in[0].as<float>() + row * c, call.in[1], call.attrs.eps, c, call.out[0].as<float>() + row * c);
  }
}

void add_rms_norm_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const F32 d;
  const int64_t c = width_of(call.in[0]), per_item = rows_per_item(c);
  const int64_t last = std::min(rows_of(call.in[0]), end * per_item);
  for (int64_t row = begin * per_item; row < last; ++row) {
    const float *a = call.in[0].as<float>() + row * c, *b = call.in[1].as<float>() + row * c;
    float* sum = call.out[0].as<float>() + row * c;
    for (int64_t i = 0; i < c; i += kLanes) {
      const size_t n = static_cast<size_t>(c - i);
      hn::StoreN(hn::Add(hn::LoadN(d, a + i, n), hn::LoadN(d, b + i, n)), d, sum + i, n);
    }
    norm_row(sum, call.in[2], call.attrs.eps, c, call.out[1].as<float>() + row * c);
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(rms_norm_run)
WEFT_SIMD_RUN(add_rms_norm_run)
bool supports_f32(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::f32; }
int64_t items(const CpuCall& call) { return div_up(rows_of(call.in[0]), rows_per_item(width_of(call.in[0]))); }
}  // namespace

extern const Kernel kRmsNorm{
    .name = "rms_norm.f32", .op = Op::rms_norm, .supports = supports_f32, .items = items, .run = rms_norm_run};
extern const Kernel kAddRmsNorm{.name = "add_rms_norm.f32",
                                .op = Op::add_rms_norm,
                                .supports = supports_f32,
                                .items = items,
                                .run = add_rms_norm_run};
}  // namespace weft
#endif
