// kv_write: rows of keys or values into the cells of a cache of f32, f16 or q8_0, one row a (token, head).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kv_write/kv_write.cpu.cc"
#include "base/half.h"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

HWY_INLINE void store_half(const float* in, int64_t n, uint8_t* out) {
  const F32 d;
  const hn::Rebind<hwy::float16_t, F32> dh;
  for (int64_t i = 0; i < n; i += kLanes) {
    const size_t left = static_cast<size_t>(n - i);
    hn::StoreN(hn::DemoteTo(dh, hn::LoadN(d, in + i, left)), dh, reinterpret_cast<hwy::float16_t*>(out) + i, left);
  }
}

HWY_INLINE void store_q8(const float* in, int64_t n, uint8_t* out) {
  const F32 d;
  const hn::Rebind<int8_t, F32> d8;
  for (int64_t b = 0; b < n; b += 32, in += 32, out += 34) {
    VF largest = hn::Abs(hn::LoadU(d, in));
    for (int i = kLanes; i < 32; i += kLanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(d, in + i)));
    const float top = hn::ReduceMax(d, largest);
    const uint16_t scale = f32_to_f16(top / 127);
    std::memcpy(out, &scale, 2);
    const VF inverse = hn::Set(d, top > 0 ? 127 / top : 0.0f);
    for (int i = 0; i < 32; i += kLanes) {
      const VI q = hn::NearestInt(hn::Mul(hn::LoadU(d, in + i), inverse));
      hn::StoreU(hn::DemoteTo(d8, q), d8, reinterpret_cast<int8_t*>(out) + 2 + i);
    }
  }
}

void kv_write_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const TensorRef &state = call.out[0], &x = call.in[1];
  const int64_t heads = x.dim[1], width = x.dim[2], cells = state.dim[2], bytes = row_bytes(state.dtype, width);
  const int64_t per_item = rows_per_item(heads * width), last = std::min(x.dim[0], end * per_item);
  for (int64_t t = begin * per_item; t < last; ++t) {
    const int64_t slot = call.in[2].as<int32_t>()[t], cell = call.in[3].as<int32_t>()[t];
    for (int64_t h = 0; h < heads; ++h) {
      const float* in = x.as<float>() + (t * heads + h) * width;
      uint8_t* out = state.as<uint8_t>() + ((slot * heads + h) * cells + cell) * bytes;
      switch (state.dtype) {
        case DType::f16:
          store_half(in, width, out);
          break;
        case DType::q8_0:
          store_q8(in, width, out);
          break;
        default:
          std::memcpy(out, in, static_cast<size_t>(bytes));
      }
    }
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(kv_write_run)
bool supports(const OpCall& call, const Caps&) {
  const DType state = call.in[0].dtype;
  return call.in[1].dtype == DType::f32 && (state == DType::f32 || state == DType::f16 || state == DType::q8_0);
}
int64_t items(const CpuCall& call) {
  return div_up(call.in[1].dim[0], rows_per_item(call.in[1].dim[1] * call.in[1].dim[2]));
}
}  // namespace

extern const Kernel kKvWrite{
    .name = "kv_write.cpu", .op = Op::kv_write, .supports = supports, .items = items, .run = kv_write_run};
}  // namespace weft
#endif
