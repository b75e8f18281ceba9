#include "graph/graph.h"

#include <algorithm>

#include "base/check.h"

namespace weft {

Shape::Shape(std::initializer_list<Dim> list) {
  CHECK(list.size() <= kMaxRank);
  for (const Dim& dim : list) dims[rank++] = dim;
}

bool Shape::operator==(const Shape& other) const {
  if (rank != other.rank) return false;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] != other.dims[i]) return false;
  }
  return true;
}

namespace {

constexpr std::array<OpInfo, kOpCount> kOps{{
    {"embedding", 2, 0, 1},
    {"rms_norm", 2, 0, 1},
    {"linear", 3, 1 << 2, 1},
    {"rope", 3, 0, 1},
    {"kv_write", 4, 0, 1},
    {"attention", 5, 1 << 3 | 1 << 4, 1},
    {"add", 2, 0, 1},
    {"mul", 2, 0, 1},
    {"activation", 1, 0, 1},
    {"scale", 1, 0, 1},
    {"softcap", 1, 0, 1},
    {"gather_rows", 2, 0, 1},
    {"view", 1, 0, 1},
    {"linear_recurrence", 4, 0, 2},
    {"quantize_rows", 1, 0, 1},
    {"gated_activation", 2, 0, 1},
    {"linear_add", 4, 1 << 2, 1},
    {"add_rms_norm", 3, 0, 2},
    {"norm_linear", 4, 1 << 3, 1},
    {"norm_gated_linear", 4, 0, 1},
    {"norm_qkv", 16, 1 << 5 | 1 << 7 | 1 << 9 | 1 << 10 | 1 << 11, 3},
}};

const Port* find_port(std::span<const Port> ports, std::string_view name) {
  const int index = port_index(ports, name);
  return index < 0 ? nullptr : &ports[index];
}

}  // namespace

const OpInfo& op_info(Op op) {
  CHECK(static_cast<int>(op) < kOpCount);
  return kOps[static_cast<int>(op)];
}
std::string_view op_name(Op op) { return op_info(op).name; }

std::string_view activation_name(Activation act) {
  switch (act) {
    case Activation::silu:
      return "silu";
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::relu:
      return "relu";
  }
  return "?";
}

std::span<const StateWrite> state_writes(Op op) {
  static constexpr StateWrite kFirst[] = {{0, 0}}, kSecond[] = {{0, 1}}, kCaches[] = {{0, 1}, {1, 2}};
  if (op == Op::kv_write) return kFirst;
  if (op == Op::linear_recurrence) return kSecond;
  if (op == Op::norm_qkv) return kCaches;
  return {};
}

std::vector<int32_t> state_of_values(const Graph& graph) {
  std::vector<int32_t> states(graph.values.size(), -1);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (graph.values[v].kind == ValueKind::state) states[v] = graph.values[v].index;
  }
  for (const Node& node : graph.nodes) {
    for (const auto& [input, result] : state_writes(node.op)) states[node.outputs[result]] = states[node.inputs[input]];
  }
  return states;
}

SymbolId Graph::symbol(std::string_view name) const {
  for (size_t i = 0; i < symbols.size(); ++i) {
    if (symbols[i] == name) return static_cast<SymbolId>(i);
  }
  return kNoSymbol;
}

ValueId Graph::find_value(std::string_view name) const {
  if (name.empty()) return kNoValue;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

int port_index(std::span<const Port> ports, std::string_view name) {
  const auto found = std::ranges::find(ports, name, &Port::name);
  return found == ports.end() ? -1 : static_cast<int>(found - ports.begin());
}

const Port* Graph::input(std::string_view name) const { return find_port(inputs, name); }
const Port* Graph::output(std::string_view name) const { return find_port(outputs, name); }

}  // namespace weft
