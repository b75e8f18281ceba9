// norm_linear, norm_gated_linear, norm_qkv: what their expansions compute, node by node with the references of the
// simpler ops. The contract of each stands in graph.h, its definition in expand.cc.
#include "base/check.h"
#include "ops/kernel.h"
#include "ops/references.h"

namespace weft::ref {

void fused(const RefCall& call) {
  Graph graph = call.graph;
  graph.nodes = {call.node};
  for (Value& value : graph.values) {
    if (value.kind == ValueKind::result) value.index = -1;
  }
  CHECK(expand(graph, 0));

  std::vector<int64_t> sizes(graph.symbols.size(), 1);
  std::vector<const HostTensor*> values(graph.values.size(), nullptr);
  for (size_t i = 0; i < call.in.size(); ++i) {
    if (!call.in[i]) continue;
    const Shape& shape = graph.type(call.node.inputs[i]).shape;
    for (int d = 0; d < shape.rank; ++d) {
      if (shape[d].symbol != kNoSymbol) sizes[shape[d].symbol] = call.in[i]->shape[d] / shape[d].count;
    }
    values[call.node.inputs[i]] = call.in[i];
  }
  std::vector<HostTensor> made(graph.values.size());
  for (const Node& node : graph.nodes) {
    std::vector<const HostTensor*> in;
    for (ValueId v : node.inputs) in.push_back(v == kNoValue ? nullptr : values[v]);
    std::vector<HostTensor> out(node.outputs.size());
    for (size_t i = 0; i < out.size(); ++i) {
      const Shape& shape = graph.type(node.outputs[i]).shape;
      for (int d = 0; d < shape.rank; ++d)
        out[i].shape.push_back(shape[d].count * (shape[d].symbol == kNoSymbol ? 1 : sizes[shape[d].symbol]));
      out[i].f32.resize(static_cast<size_t>(out[i].elements()));
    }
    if (node.op == Op::view) {
      out[0].f32 = in[0]->f32;
    } else {
      reference_table()[static_cast<size_t>(node.op)]({graph, node, in, out});
    }
    for (size_t i = 0; i < out.size(); ++i) {
      made[node.outputs[i]] = std::move(out[i]);
      values[node.outputs[i]] = &made[node.outputs[i]];
    }
  }
  for (size_t i = 0; i < call.out.size(); ++i) call.out[i].f32 = made[call.node.outputs[i]].f32;
}

}  // namespace weft::ref
