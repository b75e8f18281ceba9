#include "ops/cases.h"

namespace weft {

std::vector<Case> elementwise_cases(Op op) {
  std::vector<Case> cases;
  const bool two = op == Op::add || op == Op::mul || op == Op::gated_activation;
  const bool acts = op == Op::activation || op == Op::gated_activation;
  auto add = [&](std::vector<int64_t> shape, Attrs attrs, std::string suffix, float spread) {
    std::vector<CaseTensor> in(two ? 2 : 1, rows_of_f32(shape, spread));
    std::string text;
    for (int64_t dim : shape) text += "_" + std::to_string(dim);
    // Relative to what the function is there; near 0 of gelu's tail only the absolute error counts.
    cases.push_back({std::string(op_name(op)) + suffix + text, op, attrs, in, 1e-6f, 1e-6f});
  };
  for (const auto& shape :
       std::vector<std::vector<int64_t>>{{1, 1}, {2, 7}, {3, 33}, {1, 576}, {7, 1536}, {33, 3, 64}}) {
    if (acts) {
      for (Activation act : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
        add(shape, {.act = act}, "_" + std::string(activation_name(act)), 3);
      }
    } else {
      add(shape, {.scale = 0.37f, .cap = op == Op::softcap ? 30.0f : 0.0f}, "", op == Op::softcap ? 40.0f : 1.0f);
    }
  }
  if (acts) add({2, 100}, {.act = Activation::silu}, "_silu_wide", 80);
  if (acts) add({2, 100}, {.act = Activation::gelu}, "_gelu_wide", 20);
  return cases;
}

}  // namespace weft
