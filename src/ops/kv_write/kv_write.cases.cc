#include "ops/cases.h"

namespace weft {

std::vector<Case> kv_write_cases() {
  std::vector<Case> cases;
  for (DType dtype : {DType::f32, DType::f16, DType::q8_0}) {
    for (int64_t tokens : {1, 2, 7, 33}) {
      for (int64_t width : {32, 64, 96, 256}) {
        Case c{.op = Op::kv_write, .rtol = 1e-6f, .atol = 1e-6f};
        c.name = "kv_write_" + std::string(name(dtype)) + "_" + std::to_string(tokens) + "x" + std::to_string(width);
        c.in = {state_of(dtype, {2, 3, 40, width}), rows_of_f32({tokens, 3, width}, 4), indices(tokens, 2),
                indices(tokens, 36, true)};
        cases.push_back(c);
      }
    }
  }
  Case odd{.name = "kv_write_f16_odd_width", .op = Op::kv_write, .rtol = 1e-6f, .atol = 1e-6f};
  odd.in = {state_of(DType::f16, {1, 2, 8, 13}), rows_of_f32({5, 2, 13}), indices(5, 1), indices(5, 8, true)};
  cases.push_back(odd);
  return cases;
}

}  // namespace weft
