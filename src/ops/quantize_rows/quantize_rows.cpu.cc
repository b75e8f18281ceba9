// quantize_rows: f32 rows to i8_32 (see base/dtype.h for the layout), each block by its largest magnitude.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/quantize_rows/quantize_rows.cpu.cc"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

HWY_INLINE void quantize_row(const float* x, int64_t k, uint8_t* out) {
  const F32 d;
  const I32 di;
  const hn::Rebind<int8_t, F32> d8;
  int8_t* quants = reinterpret_cast<int8_t*>(out);
  float* scales = reinterpret_cast<float*>(out + k);
  int32_t* negsums = reinterpret_cast<int32_t*>(out + k + k / 8);
  for (int64_t b = 0; b < k / 32; ++b, x += 32, quants += 32) {
    VF largest = hn::Abs(hn::LoadU(d, x));
    HWY_UNROLL()
    for (int i = kLanes; i < 32; i += kLanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, x + i)));
    const float top = hn::ReduceMax(d, largest);
    const VF inverse = hn::Set(d, top > 0 ? 127 / top : 0.0f);
    VI sum = hn::Zero(di);
    HWY_UNROLL()
    for (int i = 0; i < 32; i += kLanes) {
      const VI q = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse));
      sum = hn::Sub(sum, q);
      hn::StoreU(hn::DemoteTo(d8, q), d8, quants + i);
    }
    scales[b] = top / 127;
    negsums[b] = hn::ReduceSum(di, sum);
  }
}

void quantize_rows_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const int64_t k = width_of(call.in[0]), per_item = rows_per_item(k);
  const int64_t last = std::min(rows_of(call.in[0]), end * per_item);
  for (int64_t row = begin * per_item; row < last; ++row) {
    quantize_row(call.in[0].as<float>() + row * k, k, call.out[0].as<uint8_t>() + row * row_bytes(DType::i8_32, k));
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(quantize_rows_run)
bool supports_f32(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::f32; }
int64_t items(const CpuCall& call) { return div_up(rows_of(call.in[0]), rows_per_item(width_of(call.in[0]))); }
}  // namespace

extern const Kernel kQuantizeRows{.name = "quantize_rows.i8_32",
                                  .op = Op::quantize_rows,
                                  .supports = supports_f32,
                                  .items = items,
                                  .run = quantize_rows_run};
}  // namespace weft
#endif
