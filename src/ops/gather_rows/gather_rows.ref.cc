// gather_rows: y[r, :] = x[rows[r], :]
// x [T, C] f32, rows [R] i32 (0 <= row < T) -> y [R, C] f32
#include <algorithm>

#include "ops/references.h"

namespace weft::ref {

void gather_rows(const RefCall& call) {
  const HostTensor& x = *call.in[0];
  float* out = call.out[0].f32.data();
  for (int32_t row : call.in[1]->i32) out = std::copy_n(x.f32.data() + row * x.shape[1], x.shape[1], out);
}

}  // namespace weft::ref
