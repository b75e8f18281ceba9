// rms_norm → linear → norm_linear, and rms_norm → gate, up → gated_activation → norm_gated_linear, where nobody else
// reads the norm: one dispatch for two or four. For one token; more tokens share a norm better than they repeat it.
#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {
void fuse_norm_linear(Graph& graph, const Model& model, const Target& target) {
  const std::vector<int> uses = use_counts(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node node = graph.nodes[n];
    if (node.op == Op::gated_activation) {
      const int g = producer(graph, node.inputs[0]), u = producer(graph, node.inputs[1]);
      if (g < 0 || u < 0 || g == u || graph.nodes[g].op != Op::linear || graph.nodes[u].op != Op::linear) continue;
      const Node &gate = graph.nodes[g], &up = graph.nodes[u];
      const int norm = producer(graph, gate.inputs[0]);
      if (norm < 0 || graph.nodes[norm].op != Op::rms_norm || up.inputs[0] != gate.inputs[0] ||
          uses[gate.inputs[0]] != 2 || uses[node.inputs[0]] != 1 || uses[node.inputs[1]] != 1 ||
          gate.inputs[2] != kNoValue || up.inputs[2] != kNoValue || gate.attrs != up.attrs)
        continue;
      const Node& source = graph.nodes[norm];
      Node fused{Op::norm_gated_linear,
                 {.eps = source.attrs.eps, .act = node.attrs.act, .quantized = gate.attrs.quantized},
                 {source.inputs[0], source.inputs[1], gate.inputs[1], up.inputs[1]},
                 {}};
      if (!own_weights(graph, uses, std::span(fused.inputs).subspan(1)) || !has_kernel(graph, fused, model, target))
        continue;
      fused.outputs = node.outputs;
      dead[g] = dead[u] = dead[norm] = true;
      graph.nodes[n] = std::move(fused);
    } else if (node.op == Op::linear) {
      const int norm = producer(graph, node.inputs[0]);
      if (norm < 0 || graph.nodes[norm].op != Op::rms_norm || uses[node.inputs[0]] != 1) continue;
      const Node& source = graph.nodes[norm];
      Node fused{Op::norm_linear,
                 {.eps = source.attrs.eps, .quantized = node.attrs.quantized},
                 {source.inputs[0], source.inputs[1], node.inputs[1], node.inputs[2]},
                 {}};
      if (!own_weights(graph, uses, std::span(fused.inputs).subspan(1)) || !has_kernel(graph, fused, model, target))
        continue;
      fused.outputs = node.outputs;
      dead[norm] = true;
      graph.nodes[n] = std::move(fused);
    }
  }
  remove_nodes(graph, dead);
}

}  // namespace weft::passes
