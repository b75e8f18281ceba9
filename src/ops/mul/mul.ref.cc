// mul: y = a * b, element by element
// a, b f32 of one shape -> y as a
#include "ops/references.h"

namespace weft::ref {

void mul(const RefCall& call) {
  std::vector<float>& y = call.out[0].f32;
  for (size_t i = 0; i < y.size(); ++i) y[i] = call.in[0]->f32[i] * call.in[1]->f32[i];
}

}  // namespace weft::ref
