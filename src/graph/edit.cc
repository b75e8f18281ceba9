#include "graph/edit.h"

namespace weft {

std::vector<int> use_counts(const Graph& graph) {
  std::vector<int> uses(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (ValueId v : node.inputs) {
      if (v != kNoValue) ++uses[v];
    }
  }
  for (const Port& port : graph.outputs) ++uses[port.value];
  return uses;
}

ValueId add_result(Graph& graph, const ValueType& type) {
  graph.values.push_back({type, ValueKind::result, {}, 0});
  return static_cast<ValueId>(graph.values.size() - 1);
}

void renumber(Graph& graph) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (ValueId v : graph.nodes[n].outputs) graph.values[v].index = static_cast<int32_t>(n);
  }
}

void remove_nodes(Graph& graph, const std::vector<bool>& dead) {
  std::vector<Node> nodes;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (n >= dead.size() || !dead[n]) nodes.push_back(std::move(graph.nodes[n]));
  }
  graph.nodes = std::move(nodes);

  std::vector<bool> kept(graph.values.size(), false);
  for (const Node& node : graph.nodes) {
    for (ValueId v : node.outputs) kept[v] = true;
    for (ValueId v : node.inputs) {
      if (v != kNoValue) kept[v] = true;
    }
  }
  for (const Port& port : graph.inputs) kept[port.value] = true;
  for (const Port& port : graph.outputs) kept[port.value] = true;

  std::vector<ValueId> moved(graph.values.size(), kNoValue);
  std::vector<Value> values;
  for (size_t v = 0; v < kept.size(); ++v) {
    if (!kept[v]) continue;
    moved[v] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[v]));
  }
  graph.values = std::move(values);
  for (Node& node : graph.nodes) {
    for (ValueId& v : node.outputs) v = moved[v];
    for (ValueId& v : node.inputs) {
      if (v != kNoValue) v = moved[v];
    }
  }
  for (Port& port : graph.inputs) port.value = moved[port.value];
  for (Port& port : graph.outputs) port.value = moved[port.value];
  renumber(graph);
}

}  // namespace weft
