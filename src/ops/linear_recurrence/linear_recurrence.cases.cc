#include "ops/cases.h"

namespace weft {

std::vector<Case> linear_recurrence_cases() {
  std::vector<Case> cases;
  for (int64_t tokens : {1, 2, 7, 33}) {
    for (int64_t width : {1, 40, 1000}) {
      cases.push_back({"linear_recurrence_" + std::to_string(tokens) + "x" + std::to_string(width),
                       Op::linear_recurrence,
                       {},
                       {state_of(DType::f32, {3, width}), rows_of_f32({tokens, width}, 0.5f),
                        rows_of_f32({tokens, width}), indices(tokens, 3)},
                       1e-5f,
                       1e-5f});
    }
  }
  return cases;
}

}  // namespace weft
