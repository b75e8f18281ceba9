#include "ops/cases.h"

namespace weft {

std::vector<Case> rows_cases(Op op) {
  std::vector<Case> cases;
  for (int64_t tokens : {1, 2, 7, 33}) {
    const std::string t = std::to_string(tokens);
    if (op == Op::gather_rows) {
      CaseTensor x{.shape = {20, 77}};
      cases.push_back({"gather_rows_" + t, op, {}, {x, indices(tokens, 20)}, 0, 0});
      continue;
    }
    for (int i = 0; i < kDTypeCount; ++i) {
      const DType dtype = static_cast<DType>(i);
      const bool weight = (dtype >= DType::q4_0 && dtype <= DType::q6_k) || i <= static_cast<int>(DType::bf16);
      if (!weight) continue;
      for (int64_t v : {48, 49}) {
        cases.push_back({"embedding_" + std::string(name(dtype)) + "_" + t + "_" + std::to_string(v),
                         op,
                         {},
                         {indices(tokens, static_cast<int32_t>(v)), weight_of(dtype, {v, 256})},
                         1e-6f,
                         1e-7f});
      }
    }
  }
  return cases;
}

}  // namespace weft
