#include <string>

#include "ops/cases.h"

namespace weft {
namespace {

// A case of norm_qkv: dimensions, types, what is there of the optional inputs.
struct Qkv {
  DType weight, cache;
  int64_t tokens, width, heads, kv_heads, size, cells;
  bool quantized, bias, head_norms;
};

Case qkv_case(const Qkv& s) {
  Case c{.op = Op::norm_qkv, .attrs = {.eps = 1e-5f, .quantized = s.quantized}, .rtol = 1e-4f, .atol = 2e-3f};
  c.name = "norm_qkv_" + std::string(name(s.weight)) + "_" + std::string(name(s.cache)) + "_" +
           std::to_string(s.tokens) + "x" + std::to_string(s.width) + "_h" + std::to_string(s.heads) + "_kv" +
           std::to_string(s.kv_heads) + "_d" + std::to_string(s.size) + (s.quantized ? "_quantized" : "") +
           (s.bias ? "_bias" : "") + (s.head_norms ? "_head_norms" : "");
  const CaseTensor absent{.role = CaseTensor::Role::absent};
  const float spread = 0.05f;
  auto bias = [&](int64_t n) { return s.bias ? weight_of(DType::f32, {n}) : absent; };
  auto norm = [&] { return s.head_norms ? weight_of(DType::f32, {s.size}) : absent; };
  const CaseTensor cache = state_of(s.cache, {2, s.kv_heads, s.cells, s.size});
  CaseTensor freq{.role = CaseTensor::Role::constant, .shape = {s.size / 2}, .spread = 0.3f};
  CaseTensor positions{.dtype = DType::i32, .shape = {s.tokens, 1}, .rows = true, .limit = 5000};
  c.in = {cache,
          cache,
          rows_of_f32({s.tokens, s.width}, 2),
          weight_of(DType::f32, {s.width}),
          weight_of(s.weight, {s.heads * s.size, s.width}, spread),
          bias(s.heads * s.size),
          weight_of(s.weight, {s.kv_heads * s.size, s.width}, spread),
          bias(s.kv_heads * s.size),
          weight_of(s.weight, {s.kv_heads * s.size, s.width}, spread),
          bias(s.kv_heads * s.size),
          norm(),
          norm(),
          freq,
          positions,
          indices(s.tokens, 2),
          indices(s.tokens, static_cast<int32_t>(s.cells))};
  return c;
}

Case matrix_case(Op op, DType weight, int64_t tokens, int64_t n, int64_t k, bool quantized, bool bias,
                 Activation act = Activation::silu) {
  Case c{.op = op, .attrs = {.eps = 1e-6f, .act = act, .quantized = quantized}, .rtol = 1e-4f};
  c.name = std::string(op_name(op)) + "_" + std::string(name(weight)) + "_" + std::to_string(tokens) + "x" +
           std::to_string(n) + "x" + std::to_string(k) + (quantized ? "_quantized" : "") + (bias ? "_bias" : "") +
           (op == Op::norm_gated_linear ? "_" + std::string(activation_name(act)) : "");
  const float spread = 0.05f;
  c.atol = 1e-6f * static_cast<float>(k) + 2e-4f;
  // A value that lies between two codes may be rounded either way; what comes of it is a code's worth of one column.
  if (quantized) c.atol += 4e-3f;
  c.in = {rows_of_f32({tokens, k}, 2), weight_of(DType::f32, {k}), weight_of(weight, {n, k}, spread)};
  if (op == Op::norm_gated_linear) {
    c.in.push_back(weight_of(weight, {n, k}, spread));
  } else {
    c.in.push_back(bias ? weight_of(DType::f32, {n}) : CaseTensor{.role = CaseTensor::Role::absent});
  }
  return c;
}

}  // namespace

std::vector<Case> decode_cases(Op op) {
  std::vector<Case> cases;
  const DType all[] = {DType::f32,  DType::f16,  DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0,
                       DType::q5_1, DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};
  for (DType w : all) {
    for (bool quantized : {false, true}) {
      if (quantized && !is_block(w)) continue;
      if (op == Op::norm_qkv) {
        cases.push_back(qkv_case({w, DType::f16, 1, 256, 3, 1, 64, 40, quantized, false, false}));
        cases.push_back(qkv_case({w, DType::f32, 1, 512, 4, 2, 32, 40, quantized, true, true}));
      } else {
        for (bool bias : {false, true}) {
          if (bias && op == Op::norm_gated_linear) continue;
          cases.push_back(matrix_case(op, w, 1, 50, 256, quantized, bias));
          cases.push_back(matrix_case(op, w, 1, 33, 768, quantized, bias));
        }
      }
    }
  }
  if (op == Op::norm_gated_linear) {
    for (Activation act : {Activation::gelu, Activation::gelu_tanh, Activation::relu})
      cases.push_back(matrix_case(op, DType::q8_0, 1, 40, 64, true, false, act));
  }
  // The six benchmark models' layers: width, heads, kv heads, head size, ffn, bias.
  struct Shape {
    DType format;
    int64_t width, heads, kv_heads, size, ffn;
    bool bias;
  };
  const Shape shapes[] = {{DType::q8_0, 576, 9, 3, 64, 1536, false},     {DType::q8_0, 896, 14, 2, 64, 4864, true},
                          {DType::q4_0, 2048, 32, 8, 64, 8192, false},   {DType::q8_0, 2048, 32, 8, 64, 8192, false},
                          {DType::q4_0, 4096, 32, 8, 128, 14336, false}, {DType::q8_0, 4096, 32, 8, 128, 14336, false}};
  for (const Shape& s : shapes) {
    if (op == Op::norm_qkv) {
      cases.push_back(
          qkv_case({s.format, DType::f16, 1, s.width, s.heads, s.kv_heads, s.size, 64, true, s.bias, false}));
    } else if (op == Op::norm_gated_linear) {
      cases.push_back(matrix_case(op, s.format, 1, s.ffn, s.width, true, false));
    } else {
      cases.push_back(matrix_case(op, s.format, 1, 1000, s.width, true, false));
    }
  }
  return cases;
}

// The heads of the benchmark's models.
std::vector<Case> large_decode_cases() {
  std::vector<Case> cases;
  const struct {
    DType format;
    int64_t vocab, width;
  } heads[] = {{DType::q8_0, 49152, 576},   {DType::q8_0, 151936, 896},  {DType::q4_0, 128256, 2048},
               {DType::q8_0, 128256, 2048}, {DType::q4_0, 128256, 4096}, {DType::q8_0, 128256, 4096}};
  for (const auto& h : heads) cases.push_back(matrix_case(Op::norm_linear, h.format, 1, h.vocab, h.width, true, false));
  return cases;
}

}  // namespace weft
