// Puts quantize_rows before each linear and linear_add whose weight is block-quantised and for which the device has a
// kernel that multiplies integers. Matrices that read one value (q, k and v; gate and up) share its quantised form.
#include <algorithm>
#include <map>

#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {
namespace {

// Whether some kernel computes `node` with its first input as i8_32, and no better one takes it as it is: kernels are
// listed best first.
bool multiplies_integers(const Graph& graph, const Node& node, const Model& model, const Target& target) {
  const Value& weight = graph.values[node.inputs[1]];
  if (weight.kind != ValueKind::weight || !is_block(weight.type.dtype)) return false;
  std::vector<ValueType> in, out;
  for (ValueId v : node.inputs) in.push_back(v == kNoValue ? ValueType{} : graph.type(v));
  for (ValueId v : node.outputs) out.push_back(graph.type(v));
  if (node.attrs.quantized || in[0].dtype != DType::f32 || in[0].shape.back().count % info(DType::i8_32).block)
    return false;
  in[0].dtype = DType::i8_32;
  const WeightDecl& decl = model.weights[weight.index];
  const OpCall call{.op = node.op,
                    .attrs = node.attrs,
                    .in = in,
                    .out = out,
                    .layout = layout_for(decl.dtype, decl.shape, target.caps),
                    .tokens = target.tokens,
                    .weights = 2};
  const auto rank = [&] { return std::ranges::find(kernels(node.op), choose_kernel(call, target.caps)); };
  const auto integers = rank();
  in[0].dtype = DType::f32;
  return integers != kernels(node.op).end() && integers <= rank();
}

}  // namespace

void quantize_activations(Graph& graph, const Model& model, const Target& target) {
  std::map<ValueId, ValueId> quantized;
  std::vector<Node> nodes;
  for (Node node : graph.nodes) {
    if ((node.op == Op::linear || node.op == Op::linear_add) && multiplies_integers(graph, node, model, target)) {
      const ValueId x = node.inputs[0];
      auto [it, added] = quantized.try_emplace(x, kNoValue);
      if (added) {
        it->second = add_result(graph, {DType::i8_32, graph.type(x).shape});
        nodes.push_back({Op::quantize_rows, {}, {x}, {it->second}});
      }
      node.inputs[0] = it->second;
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
  renumber(graph);
}

}  // namespace weft::passes
