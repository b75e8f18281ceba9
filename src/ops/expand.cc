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

// x, or x rounded to blocks.
ValueId rounded(Graph& graph, const Attrs& attrs, ValueId x, std::vector<Node>& parts) {
  if (!attrs.quantized) return x;
  const ValueId y = add_result(graph, {DType::i8_32, graph.type(x).shape});
  parts.push_back({Op::quantize_rows, {}, {x}, {y}});
  return y;
}

ValueId normed(Graph& graph, const Attrs& attrs, ValueId x, ValueId weight, std::vector<Node>& parts) {
  const ValueId y = add_result(graph, graph.type(x));
  parts.push_back({Op::rms_norm, {.eps = attrs.eps}, {x, weight}, {y}});
  return rounded(graph, attrs, y, parts);
}

void expand_qkv(Graph& graph, int index) {
  const Node node = graph.nodes[index];
  const auto& in = node.inputs;
  const Attrs& a = node.attrs;
  const int64_t size = graph.type(in[0]).shape[3].count;
  std::vector<Node> parts;
  const ValueId x = normed(graph, a, in[2], in[3], parts);
  // A projection as heads, normalised and rotated where `norm` and `rotate` say so; the last step makes `result`.
  auto heads = [&](ValueId w, ValueId bias, ValueId norm, bool rotate, ValueId result) {
    const Dim tokens = graph.type(in[2]).shape[0], rows = graph.type(w).shape[0];
    const ValueType type{DType::f32, {tokens, {rows.count / size}, {size}}};
    const ValueId flat = add_result(graph, {DType::f32, {tokens, rows}});
    parts.push_back({Op::linear, {}, {x, w, bias}, {flat}});
    ValueId y = add_result(graph, type);
    parts.push_back({Op::view, {}, {flat}, {y}});
    if (norm != kNoValue) {
      const ValueId z = add_result(graph, type);
      parts.push_back({Op::rms_norm, {.eps = a.eps}, {y, norm}, {z}});
      y = z;
    }
    if (!rotate) return y;
    if (result == kNoValue) result = add_result(graph, type);
    parts.push_back({Op::rope, {.scale = a.scale, .sections = a.sections}, {y, in[13], in[12]}, {result}});
    return result;
  };
  heads(in[4], in[5], in[10], true, node.outputs[0]);
  const ValueId k = heads(in[6], in[7], in[11], true, kNoValue), v = heads(in[8], in[9], kNoValue, false, kNoValue);
  parts.push_back({Op::kv_write, {}, {in[0], k, in[14], in[15]}, {node.outputs[1]}});
  parts.push_back({Op::kv_write, {}, {in[1], v, in[14], in[15]}, {node.outputs[2]}});
  replace(graph, index, std::move(parts));
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
      replace(graph, index,
              {{Op::linear, {.quantized = node.attrs.quantized}, {in[0], in[1], in[2]}, {product}},
               {Op::add, {}, {product, in[3]}, out}});
      return true;
    }
    case Op::add_rms_norm:
      replace(graph, index,
              {{Op::add, {}, {in[0], in[1]}, {out[0]}},
               {Op::rms_norm, {.eps = node.attrs.eps}, {out[0], in[2]}, {out[1]}}});
      return true;
    case Op::linear: {
      if (!node.attrs.quantized) return false;
      std::vector<Node> parts;
      const ValueId x = rounded(graph, node.attrs, in[0], parts);
      parts.push_back({Op::linear, {}, {x, in[1], in[2]}, out});
      replace(graph, index, std::move(parts));
      return true;
    }
    case Op::norm_linear:
    case Op::norm_gated_linear: {
      std::vector<Node> parts;
      const ValueId x = normed(graph, node.attrs, in[0], in[1], parts);
      if (node.op == Op::norm_linear) {
        parts.push_back({Op::linear, {}, {x, in[2], in[3]}, out});
      } else {
        const ValueId gate = add_result(graph, graph.type(out[0])), up = add_result(graph, graph.type(out[0]));
        parts.push_back({Op::linear, {}, {x, in[2], kNoValue}, {gate}});
        parts.push_back({Op::linear, {}, {x, in[3], kNoValue}, {up}});
        parts.push_back({Op::gated_activation, {.act = node.attrs.act}, {gate, up}, out});
      }
      replace(graph, index, std::move(parts));
      return true;
    }
    case Op::norm_qkv:
      expand_qkv(graph, index);
      return true;
    default:
      return false;  // quantize_rows changes the type and has no simpler form
  }
}

}  // namespace weft
