#include <cmath>

#include "ops/cases.h"

namespace weft {

namespace {

Case linear_case(Op op, DType x, DType w, int64_t tokens, int64_t n, int64_t k, bool bias) {
  Case c{.op = op};
  c.name = std::string(op_name(op)) + "_" + std::string(name(x)) + "_" + std::string(name(w)) + "_" +
           std::to_string(tokens) + "x" + std::to_string(n) + "x" + std::to_string(k) + (bias ? "_bias" : "");
  c.in = {rows_of_f32({tokens, k}), weight_of(w, {n, k}), {.role = CaseTensor::Role::absent}};
  c.in[0].dtype = x;
  if (bias) c.in[2] = weight_of(DType::f32, {n});
  if (op == Op::linear_add) c.in.push_back(rows_of_f32({tokens, n}));
  // Sums of K products of deviation 1 in f32: rounding errors grow with sqrt(K) partial sums of size sqrt(K).
  c.atol = 1e-6f * static_cast<float>(k) + 1e-5f;
  return c;
}

// The matrices of a layer of the benchmark's models and their heads (host/native/cli/synth_shapes.cc), with the type
// of their files.
struct Projection {
  DType dtype;
  int64_t n, k;
  bool bias = false;
};
constexpr int64_t kLarge = 5 << 20;  // weights; beyond, a case is one of large_cases

std::vector<Projection> projections(Op op) {
  struct Sizes {
    std::vector<DType> dtypes;
    int64_t width, ffn, q, kv, vocab;
    bool bias;
  };
  const Sizes models[] = {{{DType::q8_0}, 576, 1536, 576, 192, 49152, false},                     // SmolLM2-135M
                          {{DType::q8_0}, 896, 4864, 896, 128, 151936, true},                     // Qwen2.5-0.5B
                          {{DType::q4_0, DType::q8_0}, 2048, 8192, 2048, 512, 128256, false},     // Llama-3.2-1B
                          {{DType::q4_0, DType::q8_0}, 4096, 14336, 4096, 1024, 128256, false}};  // Llama-3-8B
  std::vector<Projection> list;
  for (const Sizes& m : models) {
    for (DType w : m.dtypes) {
      if (op == Op::linear_add) {
        list.insert(list.end(), {{w, m.width, m.q}, {w, m.width, m.ffn}});
        continue;
      }
      list.insert(list.end(), {{w, m.q, m.width, m.bias}, {w, m.kv, m.width, m.bias}, {w, m.ffn, m.width}});
      list.push_back({w, m.vocab, m.width});
    }
  }
  return list;
}

}  // namespace

std::vector<Case> linear_cases(Op op) {
  std::vector<Case> cases;
  auto add = [&](DType x, DType w, int64_t tokens, int64_t n, int64_t k, bool bias) {
    cases.push_back(linear_case(op, x, w, tokens, n, k, bias));
  };
  std::vector<DType> blocks{DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0};
  std::vector<DType> supers{DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};
  // linear_add is linear with another end: formats of each kind are enough.
  if (op == Op::linear_add) blocks = {DType::q4_1, DType::q8_0}, supers = {DType::q4_k, DType::q6_k};
  for (DType x : {DType::i8_32, DType::f32}) {
    for (DType w : blocks) {
      add(x, w, 1, 1, 32, false);
      add(x, w, 1, 16, 32, true);
      for (int64_t tokens : {1, 7}) add(x, w, tokens, 40, 96, false);
      for (int64_t tokens : {1, 2, 33}) add(x, w, tokens, 48, 160, true);
      add(x, w, 130, 32, 64, false);
    }
    for (DType w : supers) {
      add(x, w, 1, 1, 256, false);
      for (int64_t tokens : {1, 2, 33}) add(x, w, tokens, 48, 256, true);
      for (int64_t tokens : {1, 7}) add(x, w, tokens, 21, 512, false);
      add(x, w, 70, 16, 256, false);
    }
  }
  for (DType w : {DType::f32, DType::f16, DType::bf16}) {
    add(DType::f32, w, 1, 1, 1, false);
    for (int64_t tokens : {1, 7}) add(DType::f32, w, tokens, 19, 32, true);
    for (int64_t tokens : {1, 2, 33}) add(DType::f32, w, tokens, 37, 77, false);
    add(DType::f32, w, 70, 64, 64, false);
  }
  for (const Projection& p : projections(op)) {
    if (p.n * p.k > kLarge) continue;
    add(DType::i8_32, p.dtype, 1, p.n, p.k, p.bias);
    if (p.k < 1024) add(DType::i8_32, p.dtype, 9, p.n, p.k, p.bias);
    if (p.k < 1024) add(DType::f32, p.dtype, 9, p.n, p.k, p.bias);
  }
  return cases;
}

std::vector<Case> large_linear_cases(Op op) {
  std::vector<Case> cases;
  for (const Projection& p : projections(op)) {
    const bool head = p.n > 32768;  // computed for the last token alone
    for (DType x : {DType::i8_32, DType::f32}) {
      if (p.n * p.k > kLarge) cases.push_back(linear_case(op, x, p.dtype, 1, p.n, p.k, p.bias));
      if (!head) cases.push_back(linear_case(op, x, p.dtype, 512, p.n, p.k, p.bias));
    }
    if (!head && p.n * p.k > kLarge) cases.push_back(linear_case(op, DType::f32, p.dtype, 2, p.n, p.k, p.bias));
  }
  return cases;
}

}  // namespace weft
