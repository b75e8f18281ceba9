// rope: turns pairs (i, i + D'/2) of every head by position * inv_freq[i]. Sines and cosines once per token.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/rope/rope.cpu.cc"
#include "ops/math-inl.h"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

void rope_run(const CpuCall& call, int64_t begin, int64_t end, int worker) {
  const F32 d;
  const TensorRef &x = call.in[0], &positions = call.in[1], &inv_freq = call.in[2];
  const int64_t heads = x.dim[1], width = x.dim[2], axes = positions.dim[1], half = inv_freq.dim[0];
  const auto& sections = call.attrs.sections;
  const bool by_axis = axes == 3 && (sections[0] | sections[1] | sections[2]) != 0;
  float* cosines = reinterpret_cast<float*>(call.scratch.data()) + worker * 2 * (half + 16);
  float* sines = cosines + half + 16;
  const VF scale = hn::Set(d, call.attrs.scale);
  const int64_t per_item = rows_per_item(heads * width), last = std::min(x.dim[0], end * per_item);
  for (int64_t t = begin * per_item; t < last; ++t) {
    const int32_t* position = positions.as<int32_t>() + t * axes;
    for (int64_t i = 0; i < half; i += kLanes) {
      const size_t n = static_cast<size_t>(half - i);
      VF p = hn::Set(d, static_cast<float>(position[0]));
      if (by_axis) {
        float lanes[16];
        for (int64_t j = 0; j < kLanes; ++j) {
          lanes[j] = static_cast<float>(position[i + j < sections[0] ? 0 : i + j < sections[0] + sections[1] ? 1 : 2]);
        }
        p = hn::LoadU(d, lanes);
      }
      VF s, c;
      sin_cos(p, hn::LoadN(d, inv_freq.as<float>() + i, n), s, c);
      hn::StoreU(hn::Mul(s, scale), d, sines + i);
      hn::StoreU(hn::Mul(c, scale), d, cosines + i);
    }
    for (int64_t h = 0; h < heads; ++h) {
      const float* in = x.as<float>() + (t * heads + h) * width;
      float* out = call.out[0].as<float>() + (t * heads + h) * width;
      for (int64_t i = 0; i < half; i += kLanes) {
        const size_t n = static_cast<size_t>(half - i);
        const VF a = hn::LoadN(d, in + i, n), b = hn::LoadN(d, in + half + i, n);
        const VF s = hn::LoadU(d, sines + i), c = hn::LoadU(d, cosines + i);
        hn::StoreN(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, out + i, n);
        hn::StoreN(hn::MulAdd(a, s, hn::Mul(b, c)), d, out + half + i, n);
      }
      if (out != in) {
        for (int64_t i = 2 * half; i < width; ++i) out[i] = in[i];
      }
    }
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(rope_run)
bool supports_f32(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::f32; }
int64_t items(const CpuCall& call) {
  return div_up(call.in[0].dim[0], rows_per_item(call.in[0].dim[1] * call.in[0].dim[2]));
}
int64_t scratch(const OpCall& call, std::span<const int64_t>, int workers) {
  return 2 * 4 * (call.in[2].shape[0].count + 16) * workers;
}
}  // namespace

extern const Kernel kRope{.name = "rope.f32",
                          .op = Op::rope,
                          .supports = supports_f32,
                          .items = items,
                          .run = rope_run,
                          .scratch_bytes = scratch};
}  // namespace weft
#endif
