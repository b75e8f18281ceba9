// Ops that take each element alone: add, mul, scale, softcap, activation, gated_activation.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/elementwise/elementwise.cpu.cc"
#include "ops/math-inl.h"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

// y[i] = f(a[i], b[i]) over the elements of items [begin, end); b is a for ops of one input.
template <class F>
HWY_INLINE void map(const CpuCall& call, int64_t begin, int64_t end, const F& f) {
  const F32 d;
  const float* a = call.in[0].as<float>();
  const float* b = call.in.size() > 1 ? call.in[1].as<float>() : a;
  float* y = call.out[0].as<float>();
  const int64_t last = std::min(call.out[0].elements(), end * kItemElements);
  int64_t i = begin * kItemElements;
  for (; i + kLanes <= last; i += kLanes) hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  if (i < last) {
    const size_t n = static_cast<size_t>(last - i);
    hn::StoreN(f(hn::LoadN(d, a + i, n), hn::LoadN(d, b + i, n)), d, y + i, n);
  }
}

void add_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  map(call, begin, end, [](VF a, VF b) HWY_ATTR { return hn::Add(a, b); });
}
void mul_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  map(call, begin, end, [](VF a, VF b) HWY_ATTR { return hn::Mul(a, b); });
}
void scale_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const VF factor = hn::Set(F32(), call.attrs.scale);
  map(call, begin, end, [factor](VF a, VF) HWY_ATTR { return hn::Mul(a, factor); });
}
void softcap_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const VF cap = hn::Set(F32(), call.attrs.cap), inverse = hn::Set(F32(), 1 / call.attrs.cap);
  map(call, begin, end, [=](VF a, VF) HWY_ATTR { return hn::Mul(cap, hn::Tanh(F32(), hn::Mul(a, inverse))); });
}
void activation_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const Activation act = call.attrs.act;
  map(call, begin, end, [act](VF a, VF) HWY_ATTR { return activate(act, a); });
}
void gated_activation_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const Activation act = call.attrs.act;
  map(call, begin, end, [act](VF a, VF b) HWY_ATTR { return hn::Mul(activate(act, a), b); });
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(add_run)
WEFT_SIMD_RUN(mul_run)
WEFT_SIMD_RUN(scale_run)
WEFT_SIMD_RUN(softcap_run)
WEFT_SIMD_RUN(activation_run)
WEFT_SIMD_RUN(gated_activation_run)

bool all_f32(const OpCall& call, const Caps&) {
  return std::all_of(call.in.begin(), call.in.end(), [](const ValueType& t) { return t.dtype == DType::f32; });
}
int64_t items(const CpuCall& call) { return div_up(call.out[0].elements(), kItemElements); }
}  // namespace

extern const Kernel kAdd{.name = "add.f32", .op = Op::add, .supports = all_f32, .items = items, .run = add_run};
extern const Kernel kMul{.name = "mul.f32", .op = Op::mul, .supports = all_f32, .items = items, .run = mul_run};
extern const Kernel kScale{.name = "scale.f32", .op = Op::scale, .supports = all_f32, .items = items, .run = scale_run};
extern const Kernel kSoftcap{
    .name = "softcap.f32", .op = Op::softcap, .supports = all_f32, .items = items, .run = softcap_run};
extern const Kernel kActivation{
    .name = "activation.f32", .op = Op::activation, .supports = all_f32, .items = items, .run = activation_run};
extern const Kernel kGatedActivation{.name = "gated_activation.f32",
                                     .op = Op::gated_activation,
                                     .supports = all_f32,
                                     .items = items,
                                     .run = gated_activation_run};
}  // namespace weft
#endif
