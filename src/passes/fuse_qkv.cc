// The front half of a layer for one token: rms_norm, three projections, the norms of q and k (or none), their rotation
// and both cache writes become norm_qkv. Eight to twelve dispatches become one.
#include <algorithm>

#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {
namespace {

// A projection as attention uses it, followed back from where it is used: linear, view as heads, norm or none, rope or
// none. Everything on the way is read once only.
struct Projection {
  std::vector<int> nodes;
  ValueId x = kNoValue, weight = kNoValue, bias = kNoValue, norm = kNoValue, positions = kNoValue, freq = kNoValue;
  Attrs rope, linear;
  float eps = 0;
};

bool follow(const Graph& graph, const std::vector<int>& uses, ValueId value, bool rotated, Projection& p) {
  auto step = [&](Op op) -> const Node* {
    const int n = producer(graph, value);
    if (n < 0 || graph.nodes[n].op != op || uses[value] != 1) return nullptr;
    p.nodes.push_back(n);
    value = graph.nodes[n].inputs[0];
    return &graph.nodes[n];
  };
  if (rotated) {
    const Node* rope = step(Op::rope);
    if (!rope) return false;
    p.positions = rope->inputs[1];
    p.freq = rope->inputs[2];
    p.rope = rope->attrs;
    if (const Node* norm = step(Op::rms_norm)) {
      p.norm = norm->inputs[1];
      p.eps = norm->attrs.eps;
    }
  }
  if (!step(Op::view)) return false;
  const Node* linear = step(Op::linear);
  if (!linear) return false;
  p.x = linear->inputs[0];
  p.weight = linear->inputs[1];
  p.bias = linear->inputs[2];
  p.linear = linear->attrs;
  return true;
}

}  // namespace

void fuse_qkv(Graph& graph, const Model& model, const Target& target) {
  const std::vector<int> uses = use_counts(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node attention = graph.nodes[n];
    if (attention.op != Op::attention || attention.inputs[3] == kNoValue) continue;
    const int kw = producer(graph, attention.inputs[1]), vw = producer(graph, attention.inputs[2]);
    if (kw < 0 || vw < 0 || graph.nodes[kw].op != Op::kv_write || graph.nodes[vw].op != Op::kv_write) continue;
    const Node k_write = graph.nodes[kw], v_write = graph.nodes[vw];
    Projection q, k, v;
    if (!follow(graph, uses, attention.inputs[0], true, q) || !follow(graph, uses, k_write.inputs[1], true, k) ||
        !follow(graph, uses, v_write.inputs[1], false, v))
      continue;
    const int norm = producer(graph, q.x);
    if (norm < 0 || graph.nodes[norm].op != Op::rms_norm || uses[q.x] != 3 || k.x != q.x || v.x != q.x) continue;
    const Node source = graph.nodes[norm];
    const bool agree = k.rope == q.rope && k.positions == q.positions && k.freq == q.freq && k.linear == q.linear &&
                       v.linear == q.linear && (q.norm == kNoValue) == (k.norm == kNoValue) &&
                       (q.norm == kNoValue || (q.eps == source.attrs.eps && k.eps == source.attrs.eps)) &&
                       v_write.inputs[2] == k_write.inputs[2] && v_write.inputs[3] == k_write.inputs[3];
    if (!agree) continue;
    Node fused{
        Op::norm_qkv,
        {.eps = source.attrs.eps, .scale = q.rope.scale, .quantized = q.linear.quantized, .sections = q.rope.sections},
        {k_write.inputs[0], v_write.inputs[0], source.inputs[0], source.inputs[1], q.weight, q.bias, k.weight, k.bias,
         v.weight, v.bias, q.norm, k.norm, q.freq, q.positions, k_write.inputs[2], k_write.inputs[3]},
        {}};
    if (!own_weights(graph, uses, std::span(fused.inputs).subspan(3, 9)) || !has_kernel(graph, fused, model, target))
      continue;
    fused.outputs = {attention.inputs[0], k_write.outputs[0], v_write.outputs[0]};
    // In the place of the last of them: everything it reads is made before the first, everything that reads it after.
    int last = std::max(kw, vw);
    for (const Projection* p : {&q, &k, &v}) {
      for (int i : p->nodes) {
        dead[i] = true;
        last = std::max(last, i);
      }
    }
    dead[kw] = dead[vw] = dead[norm] = true;
    dead[last] = false;
    for (ValueId out : fused.outputs) graph.values[out].index = last;
    graph.nodes[last] = std::move(fused);
  }
  remove_nodes(graph, dead);
}

}  // namespace weft::passes
