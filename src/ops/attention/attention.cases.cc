#include <array>

#include "ops/cases.h"

namespace weft {

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  auto states = [&](DType dtype, int64_t tokens, int64_t heads, int64_t kv_heads, int64_t width, int64_t cells,
                    int32_t slots, Attrs attrs, std::string suffix) {
    attrs.scale = 0.125f;
    Case c{.op = Op::attention, .attrs = attrs, .rtol = 2e-5f, .atol = 2e-5f};
    c.name = "attention_" + std::string(name(dtype)) + "_" + std::to_string(tokens) + "x" + std::to_string(heads) +
             "x" + std::to_string(width) + "_kv" + std::to_string(kv_heads) + "_s" + std::to_string(cells) + suffix;
    c.in = {rows_of_f32({tokens, heads, width}, 2), state_of(dtype, {slots, kv_heads, cells, width}),
            state_of(dtype, {slots, kv_heads, cells, width}), indices(tokens, slots),
            indices(tokens, static_cast<int32_t>(cells), slots == 1)};
    cases.push_back(c);
  };
  for (DType dtype : {DType::f32, DType::f16, DType::q8_0}) {
    for (int64_t tokens : {1, 2, 7, 33}) {
      states(dtype, tokens, 9, 3, 64, 100, 1, {}, "");
      states(dtype, tokens, 4, 4, 32, 65, 1, {.window = 20}, "_window");
      states(dtype, tokens, 8, 2, 128, 70, 3, {}, "_slots");
      states(dtype, tokens, 2, 1, 256, 200, 2, {.cap = 20.0f, .window = 70}, "_window_cap");
    }
    states(dtype, 1, 9, 3, 64, 1500, 1, {}, "");
    states(dtype, 7, 9, 3, 64, 1500, 1, {}, "");
    states(dtype, 6, 6, 2, 32, 1100, 3, {.window = 600}, "_slots_window");
    states(dtype, 3, 20, 1, 64, 300, 1, {}, "_wide_group");
  }
  states(DType::f32, 5, 2, 1, 8, 40, 1, {}, "");
  // The heads of the models that are benchmarked (smollm2 135m and 360m, qwen2.5 0.5b, llama 3.2 1b and 3b, llama 3
  // 8b), at contexts around the places where kernels cut them.
  auto used = [&](int64_t tokens, int64_t heads, int64_t kv_heads, int64_t width, int32_t length) {
    states(DType::f16, tokens, heads, kv_heads, width, 1030, 1, {}, "_used" + std::to_string(length));
    cases.back().in[4] = indices(tokens, length, true);
  };
  for (int32_t length : {1, 255, 256, 257, 511, 512, 513, 1000}) used(1, 9, 3, 64, length);
  for (int32_t length : {257, 1000}) used(33, 9, 3, 64, length);
  for (const auto& [heads, kv_heads, width] :
       {std::array<int64_t, 3>{15, 5, 64}, {14, 2, 64}, {32, 8, 64}, {24, 8, 128}, {32, 8, 128}}) {
    for (int32_t length : {257, 1000}) used(1, heads, kv_heads, width, length);
    used(33, heads, kv_heads, width, 1000);
  }
  // So long that splits are multiples.
  for (int64_t tokens : {1, 2}) states(DType::f16, tokens, 32, 8, 64, 12000, 1, {}, "_long");
  states(DType::f16, 1, 64, 32, 32, 5000, 1, {.window = 3000}, "_long_window");
  states(DType::f16, 5, 3, 3, 13, 40, 1, {}, "");
  for (int64_t tokens : {1, 7, 33}) {
    for (int64_t keys : {1, 50, 131}) {
      Case c{.op = Op::attention, .rtol = 2e-5f, .atol = 2e-5f};
      c.attrs.scale = 0.2f;
      c.attrs.causal = false;
      c.name = "attention_plain_" + std::to_string(tokens) + "_" + std::to_string(keys);
      CaseTensor plain{.shape = {keys, 2, 40}};
      c.in = {rows_of_f32({tokens, 4, 40}, 2),
              plain,
              plain,
              {.role = CaseTensor::Role::absent},
              {.role = CaseTensor::Role::absent}};
      cases.push_back(c);
    }
  }
  return cases;
}

}  // namespace weft
