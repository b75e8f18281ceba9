// What several passes ask.
#include "passes/rewrites.h"

#include <algorithm>

namespace weft::passes {

bool has_kernel(const Graph& graph, const Node& node, const Model& model, const Target& target) {
  std::vector<ValueType> in, out;
  OpCall call{.op = node.op, .attrs = node.attrs, .in = {}, .out = {}, .tokens = target.tokens};
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    in.push_back(v == kNoValue ? ValueType{} : graph.type(v));
    if (v == kNoValue || graph.values[v].kind != ValueKind::weight) continue;
    call.weights |= 1u << i;
    const WeightDecl& decl = model.weights[graph.values[v].index];
    const WeightLayout layout = layout_for(decl.dtype, decl.shape, target.caps);
    if (layout != WeightLayout::row_major) call.layout = layout;
  }
  if (!infer_types(graph, node, out)) return false;
  call.in = in;
  call.out = out;
  return choose_kernel(call, target.caps) != nullptr;
}

bool own_weights(const Graph& graph, const std::vector<int>& uses, std::span<const ValueId> operands) {
  return std::ranges::all_of(
      operands, [&](ValueId v) { return v == kNoValue || graph.values[v].kind != ValueKind::weight || uses[v] == 1; });
}

}  // namespace weft::passes
