// activation: y = act(x)
//   silu: x / (1 + exp(-x))  (Elfwing et al. 2017)        relu: max(x, 0)
//   gelu: x / 2 * (1 + erf(x / sqrt 2))  (Hendrycks and Gimpel 2016)
//   gelu_tanh: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))  (ibid., approximation)
// x f32 of any shape -> y as x
#include <cmath>
#include <numbers>

#include "ops/references.h"

namespace weft::ref {

double activate(Activation act, double x) {
  switch (act) {
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
    case Activation::gelu_tanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::relu:
      return x > 0 ? x : 0;
  }
  return x;
}

void activation(const RefCall& call) {
  std::vector<float>& y = call.out[0].f32;
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(activate(call.node.attrs.act, call.in[0]->f32[i]));
}

}  // namespace weft::ref
