// add(residual, linear(x, w)) → linear_add(x, w, residual): the sum happens while the product is still in registers,
// which saves a step and a round trip over [T, C] after o_proj and down_proj. A layer has two of them.
#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {

void fuse_linear_add(Graph& graph, const Model&, const Target&) {
  const std::vector<int> uses = use_counts(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (Node& node : graph.nodes) {
    if (node.op != Op::add) continue;
    for (int side : {1, 0}) {
      const ValueId product = node.inputs[side], residual = node.inputs[1 - side];
      const int n = producer(graph, product);
      if (n < 0 || graph.nodes[n].op != Op::linear || uses[product] != 1) continue;
      const std::vector<ValueId>& in = graph.nodes[n].inputs;
      node = {Op::linear_add, {}, {in[0], in[1], in[2], residual}, node.outputs};
      dead[n] = true;
      break;
    }
  }
  remove_nodes(graph, dead);
}

}  // namespace weft::passes
