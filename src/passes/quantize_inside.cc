// linear and linear_add of one token over block-quantised weights round their row to blocks of 32 themselves, as
// quantize_rows would: every workgroup does it again, which costs less than a dispatch between.
#include "passes/rewrites.h"

namespace weft::passes {

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
