// What each fused op means in simpler ones. The interpreter over the expansion is the oracle of the fused reference,
// and a device without a kernel for the fused op can run the expansion instead.
#include <vector>

#include "graph/edit.h"
#include "ops/kernel.h"

namespace weft {
namespace {

// Puts `parts` in the place of node `index`.
void replace(Graph& graph, int index, std::vector<Node> parts) {
  const auto rest = graph.nodes.erase(graph.nodes.begin() + index);
  graph.nodes.insert(rest, parts.begin(), parts.end());
  renumber(graph);
}

}  // namespace

bool expand(Graph& graph, int index) {
  const Node node = graph.nodes[index];
  const auto& in = node.inputs;
  const auto& out = node.outputs;
  switch (node.op) {
    case Op::gated_activation: {
      const ValueId activated = add_result(graph, graph.type(in[0]));
      replace(
          graph, index,
          {{Op::activation, {.act = node.attrs.act}, {in[0]}, {activated}}, {Op::mul, {}, {activated, in[1]}, out}});
      return true;
    }
    case Op::linear_add: {
      const ValueId product = add_result(graph, graph.type(out[0]));
      replace(graph, index, {{Op::linear, {}, {in[0], in[1], in[2]}, {product}}, {Op::add, {}, {product, in[3]}, out}});
      return true;
    }
    case Op::add_rms_norm:
      replace(graph, index,
              {{Op::add, {}, {in[0], in[1]}, {out[0]}},
               {Op::rms_norm, {.eps = node.attrs.eps}, {out[0], in[2]}, {out[1]}}});
      return true;
    default:
      return false;  // quantize_rows changes the type and has no simpler form
  }
}

}  // namespace weft
