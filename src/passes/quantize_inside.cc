// linear and linear_add of one token over block-quantised weights round their row to blocks of 32 themselves, as
// quantize_rows would: every workgroup does it again, which costs less than a dispatch between.
#include "passes/rewrites.h"

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

void quantize_inside(Graph& graph, const Model& model, const Target& target) {
  for (Node& node : graph.nodes) {
    if ((node.op != Op::linear && node.op != Op::linear_add) || !is_block(graph.type(node.inputs[1]).dtype)) continue;
    Node rounded = node;
    rounded.attrs.quantized = true;
    if (graph.type(node.inputs[0]).dtype == DType::f32 &&
        has_kernel(graph, {rounded.op, rounded.attrs, rounded.inputs, {}}, model, target))
      node = rounded;
  }
}

}  // namespace weft::passes
