#include "ops/cases.h"

namespace weft {

std::vector<Case> quantize_rows_cases() {
  std::vector<Case> cases;
  for (int64_t tokens : {1, 2, 7, 33}) {
    for (int64_t k : {32, 96, 576, 1536}) {
      cases.push_back({"quantize_rows_" + std::to_string(tokens) + "x" + std::to_string(k),
                       Op::quantize_rows,
                       {},
                       {rows_of_f32({tokens, k}, 5)},
                       1e-6f,
                       1e-6f});
    }
  }
  cases.push_back({"quantize_rows_zeros", Op::quantize_rows, {}, {rows_of_f32({2, 64}, 0)}, 0, 0});
  return cases;
}

}  // namespace weft
