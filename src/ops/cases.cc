#include "ops/cases.h"

#include <cmath>

#include "base/check.h"

namespace weft {

std::vector<Case> elementwise_cases(Op op);
std::vector<Case> norm_cases(Op op);
std::vector<Case> linear_cases(Op op);
std::vector<Case> rope_cases();
std::vector<Case> kv_write_cases();
std::vector<Case> attention_cases();
std::vector<Case> rows_cases(Op op);
std::vector<Case> linear_recurrence_cases();
std::vector<Case> quantize_rows_cases();
std::vector<Case> decode_cases(Op op);
std::vector<Case> large_linear_cases(Op op);
std::vector<Case> large_decode_cases();

std::vector<Case> op_cases(Op op) {
  switch (op) {
    case Op::add:
    case Op::mul:
    case Op::scale:
    case Op::softcap:
    case Op::activation:
    case Op::gated_activation:
      return elementwise_cases(op);
    case Op::rms_norm:
    case Op::add_rms_norm:
      return norm_cases(op);
    case Op::linear:
    case Op::linear_add:
      return linear_cases(op);
    case Op::embedding:
    case Op::gather_rows:
      return rows_cases(op);
    case Op::rope:
      return rope_cases();
    case Op::kv_write:
      return kv_write_cases();
    case Op::attention:
      return attention_cases();
    case Op::linear_recurrence:
      return linear_recurrence_cases();
    case Op::quantize_rows:
      return quantize_rows_cases();
    case Op::norm_linear:
    case Op::norm_gated_linear:
    case Op::norm_qkv:
      return decode_cases(op);
    case Op::view:
      return {};  // no kernel
  }
  return {};
}

std::vector<Case> large_cases(Op op) {
  if (op == Op::linear || op == Op::linear_add) return large_linear_cases(op);
  if (op == Op::norm_linear) return large_decode_cases();
  return {};
}

Graph case_graph(const Case& c) {
  Graph graph;
  graph.name = c.name;
  Node node{.op = c.op, .attrs = c.attrs};
  for (const CaseTensor& tensor : c.in) {
    if (tensor.role == CaseTensor::Role::absent) {
      node.inputs.push_back(kNoValue);
      continue;
    }
    Value value;
    value.type.dtype = tensor.dtype;
    value.type.shape.rank = static_cast<int>(tensor.shape.size());
    for (size_t i = 0; i < tensor.shape.size(); ++i) value.type.shape.dims[i].count = tensor.shape[i];
    value.kind = tensor.role == CaseTensor::Role::weight     ? ValueKind::weight
                 : tensor.role == CaseTensor::Role::constant ? ValueKind::constant
                 : tensor.role == CaseTensor::Role::state    ? ValueKind::state
                                                             : ValueKind::input;
    value.index = static_cast<int32_t>(graph.values.size());
    node.inputs.push_back(static_cast<ValueId>(graph.values.size()));
    graph.values.push_back(value);
  }
  std::vector<ValueType> types;
  CHECK(infer_types(graph, node, types).has_value());
  for (const ValueType& type : types) {
    node.outputs.push_back(static_cast<ValueId>(graph.values.size()));
    graph.values.push_back({.type = type, .kind = ValueKind::result});
  }
  graph.nodes.push_back(std::move(node));
  return graph;
}

namespace {

// SplitMix64 (Steele, Lea, Flood 2014), seeded by the case's name and the input.
struct Random {
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += kStep;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // Sum of 12: close enough to normal, and the same bits on every machine.
  float normal() {
    double sum = -6;
    for (int i = 0; i < kDraws; ++i) sum += unit();
    return static_cast<float>(sum);
  }
  static constexpr int kDraws = 12;
};

Random random_of(const Case& c, int index) {
  Random random{static_cast<uint64_t>(index) * 7919 + 17};
  for (char ch : c.name) random.state = random.state * 1099511628211u + static_cast<unsigned char>(ch);
  return random;
}

}  // namespace

void case_floats(const Case& c, int index, int64_t first, std::span<float> out) {
  Random random = random_of(c, index);
  random.state += Random::kStep * Random::kDraws * static_cast<uint64_t>(first);
  for (float& v : out) v = c.in[index].spread * random.normal();
}

HostTensor case_data(const Case& c, int index) {
  const CaseTensor& tensor = c.in[index];
  Random random = random_of(c, index);
  HostTensor data{.shape = tensor.shape};
  const int64_t n = data.elements();
  data.is_i32 = tensor.dtype == DType::i32;
  if (data.is_i32) {
    data.i32.resize(n);
    for (int64_t i = 0; i < n; ++i) {
      data.i32[i] = static_cast<int32_t>(tensor.ascending ? i + tensor.limit - n
                                                          : static_cast<int64_t>(random.next() % tensor.limit));
    }
  } else {
    data.f32.resize(n);
    case_floats(c, index, 0, data.f32);
  }
  return data;
}

}  // namespace weft
