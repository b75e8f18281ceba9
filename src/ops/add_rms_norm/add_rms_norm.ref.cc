// add_rms_norm: sum = a + b; y = rms_norm(sum, weight)
// a, b [.., C] f32, weight [C] -> sum, y as a
#include "ops/references.h"

namespace weft::ref {

void add_rms_norm(const RefCall& call) {
  const HostTensor& a = *call.in[0];
  std::vector<float>& sum = call.out[0].f32;
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = a.f32[i] + call.in[1]->f32[i];
  const int64_t width = a.shape.back();
  for (int64_t i = 0; i < a.elements(); i += width) {
    norm_row(sum.data() + i, call.in[2]->f32.data(), call.node.attrs.eps, width, call.out[1].f32.data() + i);
  }
}

}  // namespace weft::ref
