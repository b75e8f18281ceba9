#include <cmath>

#include "ops/cases.h"

namespace weft {

std::vector<Case> linear_cases(Op op) {
  std::vector<Case> cases;
  auto add = [&](DType x, DType w, int64_t tokens, int64_t n, int64_t k, bool bias) {
    Case c{.op = op};
    c.name = std::string(op_name(op)) + "_" + std::string(name(x)) + "_" + std::string(name(w)) + "_" +
             std::to_string(tokens) + "x" + std::to_string(n) + "x" + std::to_string(k) + (bias ? "_bias" : "");
    c.in = {rows_of_f32({tokens, k}), weight_of(w, {n, k}), {.role = CaseTensor::Role::absent}};
    c.in[0].dtype = x;
    if (bias) c.in[2] = weight_of(DType::f32, {n});
    if (op == Op::linear_add) c.in.push_back(rows_of_f32({tokens, n}));
    // Sums of K products of deviation 1 in f32: rounding errors grow with sqrt(K) partial sums of size sqrt(K).
    c.atol = 1e-6f * static_cast<float>(k) + 1e-5f;
    cases.push_back(c);
  };
  const DType blocks[] = {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0};
  const DType supers[] = {DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};
  for (DType x : {DType::i8_32, DType::f32}) {
    for (DType w : blocks) {
      for (int64_t tokens : {1, 2, 7, 33}) {
        add(x, w, tokens, 1, 32, false);
        add(x, w, tokens, 16, 32, true);
        add(x, w, tokens, 40, 96, false);
        add(x, w, tokens, 48, 160, true);
      }
      add(x, w, 130, 32, 64, false);
    }
    for (DType w : supers) {
      for (int64_t tokens : {1, 2, 7, 33}) {
        add(x, w, tokens, 1, 256, false);
        add(x, w, tokens, 48, 256, true);
        add(x, w, tokens, 21, 512, false);
      }
      add(x, w, 70, 16, 256, false);
    }
  }
  for (DType w : {DType::f32, DType::f16, DType::bf16}) {
    for (int64_t tokens : {1, 2, 7, 33}) {
      add(DType::f32, w, tokens, 1, 1, false);
      add(DType::f32, w, tokens, 19, 32, true);
      add(DType::f32, w, tokens, 37, 77, false);
    }
    add(DType::f32, w, 70, 64, 64, false);
  }
  // SmolLM2-135M's projections.
  if (op == Op::linear) {
    for (DType w : {DType::q8_0, DType::q4_0}) {
      for (int64_t tokens : {1, 9}) {
        add(DType::i8_32, w, tokens, 192, 576, false);
        add(DType::i8_32, w, tokens, 576, 1536, false);
        add(DType::i8_32, w, tokens, 1536, 576, false);
      }
    }
  }
  return cases;
}

}  // namespace weft
