#include "ops/cases.h"

namespace weft {

std::vector<Case> rope_cases() {
  std::vector<Case> cases;
  auto add = [&](int64_t tokens, int64_t heads, int64_t width, int64_t frequencies, int64_t axes, int32_t limit,
                 Attrs attrs) {
    Case c{.op = Op::rope, .attrs = attrs, .rtol = 1e-5f, .atol = 2e-6f};
    c.name = "rope_" + std::to_string(tokens) + "x" + std::to_string(heads) + "x" + std::to_string(width) + "_" +
             std::to_string(frequencies) + "_" + std::to_string(axes) + "_" + std::to_string(limit) +
             (attrs.sections[0] ? "_sections" : "");
    c.in = {rows_of_f32({tokens, heads, width}),
            indices(tokens, limit),
            {.role = CaseTensor::Role::constant, .shape = {frequencies}, .spread = 0.3f}};
    c.in[1].shape = {tokens, axes};
    cases.push_back(c);
  };
  for (int64_t tokens : {1, 2, 7, 33}) {
    add(tokens, 9, 64, 32, 1, 100, {});
    add(tokens, 3, 64, 32, 1, 131072, {.scale = 1.25f});
    add(tokens, 1, 8, 4, 1, 1000, {});
    add(tokens, 2, 10, 3, 1, 1000, {});
    add(tokens, 2, 256, 128, 1, 4000, {});
    add(tokens, 2, 128, 64, 3, 4000, {.sections = {16, 24, 24}});
    add(tokens, 2, 128, 64, 3, 4000, {});
  }
  return cases;
}

}  // namespace weft
