// linear_recurrence: for t = 0, 1, …: h = state[slots[t], :];  h = a[t, :] * h + b[t, :];  y[t, :] = h
// state [N, C] f32, a, b [T, C] f32, slots [T] i32 (< N) -> y [T, C] f32, state
// The diagonal recurrence that gated RNNs and state space models share (Orvieto et al. 2023, "LRU").
#include "ops/references.h"

namespace weft::ref {

void linear_recurrence(const RefCall& call) {
  const HostTensor &state = *call.in[0], &a = *call.in[1], &b = *call.in[2], &slots = *call.in[3];
  const int64_t width = state.shape[1];
  call.out[1].f32 = state.f32;
  for (int64_t t = 0; t < a.shape[0]; ++t) {
    float* h = call.out[1].f32.data() + slots.i32[t] * width;
    for (int64_t c = 0; c < width; ++c) {
      h[c] = a.f32[t * width + c] * h[c] + b.f32[t * width + c];
      call.out[0].f32[t * width + c] = h[c];
    }
  }
}

}  // namespace weft::ref
