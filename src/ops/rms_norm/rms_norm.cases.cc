#include "ops/cases.h"

namespace weft {

std::vector<Case> norm_cases(Op op) {
  std::vector<Case> cases;
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const auto& shape :
         std::vector<std::vector<int64_t>>{{1, 1}, {2, 7}, {3, 33}, {1, 576}, {33, 576}, {7, 9, 64}}) {
      if (op == Op::add_rms_norm && shape.size() == 3) continue;
      std::vector<CaseTensor> in(op == Op::add_rms_norm ? 2 : 1, rows_of_f32(shape, 3));
      in.push_back(weight_of(dtype, {shape.back()}));
      std::string text;
      for (int64_t dim : shape) text += "_" + std::to_string(dim);
      cases.push_back(
          {std::string(op_name(op)) + "_" + std::string(name(dtype)) + text, op, {.eps = 1e-5f}, in, 2e-6f, 2e-6f});
    }
  }
  return cases;
}

}  // namespace weft
