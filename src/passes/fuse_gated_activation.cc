// mul(activation(gate), up) → gated_activation(gate, up): one pass over [T, F], the widest activation of a dense
// layer, instead of two.
#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {

void fuse_gated_activation(Graph& graph, const Model&, const Target&) {
  const std::vector<int> uses = use_counts(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (Node& node : graph.nodes) {
    if (node.op != Op::mul) continue;
    for (int side : {0, 1}) {
      const ValueId activated = node.inputs[side], up = node.inputs[1 - side];
      const int n = producer(graph, activated);
      if (n < 0 || graph.nodes[n].op != Op::activation || uses[activated] != 1) continue;
      const ValueId gate = graph.nodes[n].inputs[0];
      node = {Op::gated_activation, {.act = graph.nodes[n].attrs.act}, {gate, up}, node.outputs};
      dead[n] = true;
      break;
    }
  }
  remove_nodes(graph, dead);
}

}  // namespace weft::passes
