// rms_norm(add(a, b)) → add_rms_norm(a, b), the sum kept as a result of its own: the norm reads the sum while it is in
// the cache, and a step is saved.
//
// Runs after fuse_linear_add, which takes most residual adds and pays more (it also saves writing the product). What is
// left are the adds behind a norm: Gemma's, two a layer.
#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {

void fuse_add_rms_norm(Graph& graph, const Model&, const Target&) {
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].op != Op::rms_norm) continue;
    const ValueId sum = graph.nodes[n].inputs[0];
    const int maker = producer(graph, sum);
    if (maker < 0 || graph.nodes[maker].op != Op::add) continue;
    // Several norms of one sum: the first takes the place of the add, so that every other reader still comes later.
    const Node norm = graph.nodes[n], add = graph.nodes[maker];
    graph.nodes[maker] = {Op::add_rms_norm,
                          {.eps = norm.attrs.eps},
                          {add.inputs[0], add.inputs[1], norm.inputs[1]},
                          {sum, norm.outputs[0]}};
    graph.values[norm.outputs[0]].index = maker;
    dead[n] = true;
  }
  remove_nodes(graph, dead);
}

}  // namespace weft::passes
