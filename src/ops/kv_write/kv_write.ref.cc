// kv_write: state[slots[t], k, cells[t], :] = x[t, k, :] for every t and k, in the order of t; the rest is unchanged.
// state [N, K, S, D] of f32, f16 or q8_0, x [T, K, D] f32, slots [T] i32 (< N), cells [T] i32 (< S) -> state
// The stored value is x rounded to the state's type: f16 to nearest even; q8_0 in blocks of 32 along D with
// scale = f16(absmax / 127) and q = x * (127 / absmax) rounded to nearest even.
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "ops/references.h"

namespace weft::ref {
namespace {

void store(DType dtype, const float* in, int64_t size, float* out) {
  if (dtype == DType::f16) {
    for (int64_t i = 0; i < size; ++i) out[i] = f16_to_f32(f32_to_f16(in[i]));
    return;
  }
  if (dtype != DType::q8_0) {
    std::copy_n(in, size, out);
    return;
  }
  for (int64_t begin = 0; begin < size; begin += 32) {
    float largest = 0;
    for (int64_t i = begin; i < begin + 32; ++i) largest = std::max(largest, std::abs(in[i]));
    const float scale = f16_to_f32(f32_to_f16(largest / 127)), inverse = largest > 0 ? 127 / largest : 0;
    for (int64_t i = begin; i < begin + 32; ++i) out[i] = std::nearbyint(in[i] * inverse) * scale;
  }
}

}  // namespace

void kv_write(const RefCall& call) {
  const HostTensor &state = *call.in[0], &x = *call.in[1];
  const int64_t heads = state.shape[1], cells = state.shape[2], size = state.shape[3];
  const DType dtype = call.graph.type(call.node.inputs[0]).dtype;
  call.out[0].f32 = state.f32;
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    for (int64_t k = 0; k < heads; ++k) {
      const int64_t row = (call.in[2]->i32[t] * heads + k) * cells + call.in[3]->i32[t];
      store(dtype, x.f32.data() + (t * heads + k) * size, size, call.out[0].f32.data() + row * size);
    }
  }
}

}  // namespace weft::ref
