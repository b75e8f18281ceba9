// softcap: y = cap * tanh(x / cap), cap > 0
// x f32 of any shape -> y as x. Gemma Team 2024 (Gemma 2), "logit soft-capping".
#include <cmath>

#include "ops/references.h"

namespace weft::ref {

void softcap(const RefCall& call) {
  const double cap = call.node.attrs.cap;
  std::vector<float>& y = call.out[0].f32;
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(cap * std::tanh(call.in[0]->f32[i] / cap));
}

}  // namespace weft::ref
