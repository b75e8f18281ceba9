// gated_activation: y = act(gate) * up
// gate, up [T, F] f32 -> y [T, F] f32. Shazeer 2020, "GLU Variants Improve Transformer".
#include "ops/references.h"

namespace weft::ref {

void gated_activation(const RefCall& call) {
  const HostTensor &gate = *call.in[0], &up = *call.in[1];
  std::vector<float>& y = call.out[0].f32;
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = static_cast<float>(activate(call.node.attrs.act, gate.f32[i]) * up.f32[i]);
  }
}

}  // namespace weft::ref
