// embedding: x[t, :] = table[ids[t], :]
// ids [T] i32 (0 <= id < V), table [V, C] of any weight type -> x [T, C] f32
#include <algorithm>

#include "ops/references.h"

namespace weft::ref {

void embedding(const RefCall& call) {
  const HostTensor &ids = *call.in[0], &table = *call.in[1];
  const int64_t width = table.shape[1];
  float* out = call.out[0].f32.data();
  for (int32_t id : ids.i32) out = std::copy_n(table.f32.data() + id * width, width, out);
}

}  // namespace weft::ref
