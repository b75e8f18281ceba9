// scale: y = scale * x
// x f32 of any shape -> y as x
#include "ops/references.h"

namespace weft::ref {

void scale(const RefCall& call) {
  std::vector<float>& y = call.out[0].f32;
  for (size_t i = 0; i < y.size(); ++i) y[i] = call.in[0]->f32[i] * call.node.attrs.scale;
}

}  // namespace weft::ref
