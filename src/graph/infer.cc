// Shape rules: what each op takes and gives. One function an op, in the order of the enum.
#include <algorithm>
#include <cmath>

#include "base/compact_sort.h"
#include "graph/graph.h"

namespace weft {
namespace {

bool is_float(DType d) { return d == DType::f32 || d == DType::f16 || d == DType::bf16; }
bool is_weight(DType d) { return is_float(d) || (d >= DType::q4_0 && d <= DType::q6_k); }
bool is_state(DType d) { return d == DType::f32 || d == DType::f16 || d == DType::q8_0; }
bool fixed(const Dim& d) { return d.symbol == kNoSymbol; }

// One call: the operand types and how errors are worded.
struct Call {
  const Graph& graph;
  const Node& node;
  std::vector<ValueType>& out;

  bool has(int i) const { return node.inputs[i] != kNoValue; }
  const ValueType& in(int i) const { return graph.type(node.inputs[i]); }
  std::string text(const ValueType& t) const { return std::string(name(t.dtype)) + to_string(graph, t.shape); }
  std::string where() const {
    const ValueId v = node.outputs.empty() ? kNoValue : node.outputs[0];
    const bool named = v >= 0 && v < static_cast<ValueId>(graph.values.size()) && !graph.values[v].name.empty();
    return std::string(op_name(node.op)) + (named ? " '" + graph.values[v].name + "'" : "");
  }
  std::unexpected<Error> bad(int i, std::string expected) const {
    return fail(Code::wrong_shape, where(), "input " + std::to_string(i), std::move(expected), text(in(i)));
  }
  std::unexpected<Error> bad_attr(std::string what, std::string expected, std::string found) const {
    return fail(Code::wrong_shape, where(), std::move(what), std::move(expected), std::move(found));
  }
  // Input i is a vector of one i32 for each row of `rows`.
  Status index_rows(int i, const Dim& rows) const {
    if (in(i).dtype != DType::i32 || in(i).shape != Shape{rows}) {
      return bad(i, "i32" + to_string(graph, Shape{rows}));
    }
    return {};
  }
  Status activations(int i, int rank) const {
    if (in(i).dtype != DType::f32 || in(i).shape.rank != rank) return bad(i, "f32 of rank " + std::to_string(rank));
    return {};
  }
  Status vector(int i, const Dim& size) const {
    if (!is_float(in(i).dtype) || in(i).shape != Shape{size}) return bad(i, "float" + to_string(graph, Shape{size}));
    return {};
  }
  // Fills the i-th result, or checks it against what was wanted.
  Status give(size_t i, ValueType type) const {
    if (i == out.size()) {
      out.push_back(type);
    } else if (out[i] != type) {
      return fail(Code::wrong_shape, where(), "result " + std::to_string(i), text(type), text(out[i]));
    }
    return {};
  }
};

Status embedding(const Call& c) {
  if (c.in(0).dtype != DType::i32 || c.in(0).shape.rank != 1) return c.bad(0, "i32 of rank 1");
  const ValueType& table = c.in(1);
  if (!is_weight(table.dtype) || table.shape.rank != 2) return c.bad(1, "a weight matrix [V, C]");
  return c.give(0, {DType::f32, {c.in(0).shape[0], table.shape[1]}});
}

Status rms_norm(const Call& c) {
  if (c.in(0).dtype != DType::f32 || c.in(0).shape.rank < 1) return c.bad(0, "f32 of rank 1 or more");
  WEFT_CHECK_OK(c.vector(1, c.in(0).shape.back()));
  return c.give(0, c.in(0));
}

Status linear(const Call& c) {
  const ValueType &x = c.in(0), &w = c.in(1);
  if ((x.dtype != DType::f32 && x.dtype != DType::i8_32) || x.shape.rank != 2) return c.bad(0, "f32 or i8_32 [T, K]");
  if (!is_weight(w.dtype) || w.shape.rank != 2 || w.shape[1] != x.shape[1] || !fixed(w.shape[0])) {
    return c.bad(1, "a weight matrix [N, K] with K as in x, " + c.text(x));
  }
  if (c.has(2)) WEFT_CHECK_OK(c.vector(2, w.shape[0]));
  if (c.node.attrs.quantized && (x.dtype != DType::f32 || !fixed(x.shape[1]) || x.shape[1].count % 32 != 0)) {
    return c.bad(0, "f32 rows of whole blocks of 32 where the op quantises them");
  }
  return c.give(0, {DType::f32, {x.shape[0], w.shape[0]}});
}

Status rope(const Call& c) {
  WEFT_CHECK_OK(c.activations(0, 3));
  const Shape &x = c.in(0).shape, &p = c.in(1).shape, &f = c.in(2).shape;
  const bool axes = p.rank == 2 && fixed(p[1]) && (p[1].count == 1 || p[1].count == 3);
  if (c.in(1).dtype != DType::i32 || !axes || p[0] != x[0]) return c.bad(1, "i32 positions [T, 1] or [T, 3]");
  if (c.in(2).dtype != DType::f32 || f.rank != 1 || !fixed(f[0]) || !fixed(x[2]) || 2 * f[0].count > x[2].count) {
    return c.bad(2, "f32 frequencies, at most half as many as the head size of " + c.text(c.in(0)));
  }
  const auto& s = c.node.attrs.sections;
  int64_t sum = 0;
  for (int32_t n : s) {
    if (n < 0) return c.bad_attr("sections", "none below 0", std::to_string(n));
    sum += n;
  }
  const bool none = sum == 0;
  if (!none && (p[1].count != 3 || sum != f[0].count)) {
    return c.bad_attr("sections", "with 3 axes a sum of " + std::to_string(f[0].count) + ", else none",
                      std::to_string(sum));
  }
  return c.give(0, c.in(0));
}

Status kv_write(const Call& c) {
  const ValueType& state = c.in(0);
  if (!is_state(state.dtype) || state.shape.rank != 4) return c.bad(0, "a state [N, K, S, D] of f32, f16 or q8_0");
  WEFT_CHECK_OK(c.activations(1, 3));
  const Shape& x = c.in(1).shape;
  if (x[1] != state.shape[1] || x[2] != state.shape[3]) {
    return c.bad(1, "[T, K, D] with K and D of " + c.text(state));
  }
  WEFT_CHECK_OK(c.index_rows(2, x[0]));
  WEFT_CHECK_OK(c.index_rows(3, x[0]));
  return c.give(0, state);
}

Status attention(const Call& c) {
  WEFT_CHECK_OK(c.activations(0, 3));
  const Shape &q = c.in(0).shape, &k = c.in(1).shape;
  const bool state = k.rank == 4;
  const Attrs& a = c.node.attrs;
  if (state ? !is_state(c.in(1).dtype) : c.in(1).dtype != DType::f32 || k.rank != 3) {
    return c.bad(1, "a state [N, K, S, D] or f32 [E, K, D]");
  }
  const Dim heads = q[1], kv_heads = k[1];
  if (k.back() != q[2] || !fixed(heads) || !fixed(kv_heads) || kv_heads.count < 1 ||
      heads.count % kv_heads.count != 0) {
    return c.bad(1, "the head size of " + c.text(c.in(0)) + " and a number of heads that divides its");
  }
  if (c.in(2) != c.in(1)) return c.bad(2, "as input 1, " + c.text(c.in(1)));
  if (c.has(3) != state || c.has(4) != state) {
    return c.bad_attr("slots and cells", state ? "both with states" : "none with plain keys",
                      c.has(3) || c.has(4) ? "given" : "absent");
  }
  if (state) {
    WEFT_CHECK_OK(c.index_rows(3, q[0]));
    WEFT_CHECK_OK(c.index_rows(4, q[0]));
  }
  if (a.causal != state) {
    return c.bad_attr("causal", state ? "true with states (cells say how far is seen)" : "false with plain keys",
                      a.causal ? "true" : "false");
  }
  if (a.window < 0 || (a.window > 0 && !state)) {
    return c.bad_attr("window", state ? "0 or more" : "0 with plain keys", std::to_string(a.window));
  }
  return c.give(0, c.in(0));
}

Status same_shape(const Call& c) {
  if (c.in(0).dtype != DType::f32) return c.bad(0, "f32");
  if (c.in(1) != c.in(0)) return c.bad(1, "as input 0, " + c.text(c.in(0)));
  return c.give(0, c.in(0));
}

Status elementwise(const Call& c) {
  if (c.in(0).dtype != DType::f32) return c.bad(0, "f32");
  if (c.node.op == Op::softcap && !(c.node.attrs.cap > 0)) {
    return c.bad_attr("cap", "above 0", std::to_string(c.node.attrs.cap));
  }
  return c.give(0, c.in(0));
}

Status gather_rows(const Call& c) {
  WEFT_CHECK_OK(c.activations(0, 2));
  if (c.in(1).dtype != DType::i32 || c.in(1).shape.rank != 1) return c.bad(1, "i32 [R]");
  return c.give(0, {DType::f32, {c.in(1).shape[0], c.in(0).shape[1]}});
}

// Same product of counts and same symbols, in any order.
bool same_elements(const Shape& a, const Shape& b) {
  auto summary = [](const Shape& s, std::array<SymbolId, kMaxRank>& symbols) {
    double count = 1;  // exact for every size that verify() lets pass
    symbols.fill(kNoSymbol);
    for (int i = 0; i < s.rank; ++i) {
      count *= static_cast<double>(s[i].count);
      symbols[i] = s[i].symbol;
    }
    compact_sort(symbols);
    return count;
  };
  std::array<SymbolId, kMaxRank> sa, sb;
  return summary(a, sa) == summary(b, sb) && sa == sb;
}

Status view(const Call& c) {
  const ValueType& x = c.in(0);
  if (is_block(x.dtype)) return c.bad(0, "a scalar type");
  if (c.out.empty()) return c.bad_attr("result", "a wanted shape", "none");
  if (c.out[0].dtype != x.dtype || !same_elements(x.shape, c.out[0].shape)) {
    return c.bad_attr("result", "the elements of " + c.text(x), c.text(c.out[0]));
  }
  return {};
}

Status linear_recurrence(const Call& c) {
  const ValueType& state = c.in(0);
  if (state.dtype != DType::f32 || state.shape.rank != 2) return c.bad(0, "a state f32 [N, C]");
  WEFT_CHECK_OK(c.activations(1, 2));
  if (c.in(1).shape[1] != state.shape[1]) return c.bad(1, "[T, C] with C of " + c.text(state));
  if (c.in(2) != c.in(1)) return c.bad(2, "as input 1, " + c.text(c.in(1)));
  WEFT_CHECK_OK(c.index_rows(3, c.in(1).shape[0]));
  WEFT_CHECK_OK(c.give(0, c.in(1)));
  return c.give(1, state);
}

Status quantize_rows(const Call& c) {
  WEFT_CHECK_OK(c.activations(0, 2));
  const Dim& k = c.in(0).shape[1];
  if (!fixed(k) || k.count % info(DType::i8_32).block) return c.bad(0, "f32 [T, K] with K a multiple of 32");
  return c.give(0, {DType::i8_32, c.in(0).shape});
}

Status linear_add(const Call& c) {
  const ValueType &x = c.in(0), &w = c.in(1);
  WEFT_CHECK_OK(linear({c.graph, c.node, c.out}));
  const ValueType sum{DType::f32, {x.shape[0], w.shape[0]}};
  if (c.in(3) != sum) return c.bad(3, c.text(sum));
  return {};
}

Status add_rms_norm(const Call& c) {
  if (c.in(0).shape.rank < 1) return c.bad(0, "f32 of rank 1 or more");
  WEFT_CHECK_OK(same_shape(c));
  WEFT_CHECK_OK(c.vector(2, c.in(0).shape.back()));
  return c.give(1, c.in(0));
}

// The input of matrices that is rounded to blocks inside the op.
Status quantizable(const Call& c, const Dim& k) {
  if (!c.node.attrs.quantized || (fixed(k) && k.count % info(DType::i8_32).block == 0)) return {};
  return c.bad_attr("quantized", "false where rows are not blocks of 32", "true");
}

// norm(x) and a matrix over it, inputs x, norm, w.
Status normed(const Call& c, int x, int norm) {
  WEFT_CHECK_OK(c.activations(x, 2));
  WEFT_CHECK_OK(c.vector(norm, c.in(x).shape[1]));
  return quantizable(c, c.in(x).shape[1]);
}
Status matrix(const Call& c, int x, int w, int bias, const Dim* rows) {
  const ValueType& type = c.in(w);
  if (!is_weight(type.dtype) || type.shape.rank != 2 || type.shape[1] != c.in(x).shape[1] || !fixed(type.shape[0]) ||
      (rows && type.shape[0] != *rows)) {
    return c.bad(w, "a weight matrix [N, C] with C of " + c.text(c.in(x)) +
                        (rows ? " and N = " + std::to_string(rows->count) : ""));
  }
  return bias >= 0 && c.has(bias) ? c.vector(bias, type.shape[0]) : Status{};
}

Status norm_linear(const Call& c) {
  WEFT_CHECK_OK(normed(c, 0, 1));
  WEFT_CHECK_OK(matrix(c, 0, 2, 3, nullptr));
  return c.give(0, {DType::f32, {c.in(0).shape[0], c.in(2).shape[0]}});
}

Status norm_gated_linear(const Call& c) {
  WEFT_CHECK_OK(normed(c, 0, 1));
  WEFT_CHECK_OK(matrix(c, 0, 2, -1, nullptr));
  WEFT_CHECK_OK(matrix(c, 0, 3, -1, &c.in(2).shape[0]));
  return c.give(0, {DType::f32, {c.in(0).shape[0], c.in(2).shape[0]}});
}

Status norm_qkv(const Call& c) {
  for (int i : {0, 1}) {
    if (!is_state(c.in(i).dtype) || c.in(i).shape.rank != 4) return c.bad(i, "a state [N, K, S, D]");
  }
  if (c.in(1) != c.in(0)) return c.bad(1, "as input 0, " + c.text(c.in(0)));
  WEFT_CHECK_OK(normed(c, 2, 3));
  const Dim kv = c.in(0).shape[1], size = c.in(0).shape[3], tokens = c.in(2).shape[0];
  if (!fixed(kv) || !fixed(size)) return c.bad(0, "fixed K and D");
  const Dim width{kv.count * size.count};
  WEFT_CHECK_OK(matrix(c, 2, 4, 5, nullptr));
  WEFT_CHECK_OK(matrix(c, 2, 6, 7, &width));
  WEFT_CHECK_OK(matrix(c, 2, 8, 9, &width));
  const int64_t rows = c.in(4).shape[0].count;
  if (rows % width.count != 0) return c.bad(4, "a multiple of " + std::to_string(width.count) + " rows");
  if (c.has(10) != c.has(11)) return c.bad_attr("norms of q and k", "both or none", "one");
  for (int i : {10, 11}) {
    if (c.has(i)) WEFT_CHECK_OK(c.vector(i, size));
  }
  const Shape &f = c.in(12).shape, &p = c.in(13).shape;
  if (c.in(12).dtype != DType::f32 || f.rank != 1 || !fixed(f[0]) || 2 * f[0].count > size.count) {
    return c.bad(12, "f32 frequencies, at most half as many as the head size");
  }
  const bool axes = p.rank == 2 && fixed(p[1]) && (p[1].count == 1 || p[1].count == 3);
  if (c.in(13).dtype != DType::i32 || !axes || p[0] != tokens) return c.bad(13, "i32 positions [T, 1] or [T, 3]");
  WEFT_CHECK_OK(c.index_rows(14, tokens));
  WEFT_CHECK_OK(c.index_rows(15, tokens));
  WEFT_CHECK_OK(c.give(0, {DType::f32, {tokens, {rows / size.count}, size}}));
  WEFT_CHECK_OK(c.give(1, c.in(0)));
  return c.give(2, c.in(1));
}

}  // namespace

Status infer_types(const Graph& graph, const Node& node, std::vector<ValueType>& out) {
  if (static_cast<int>(node.op) >= kOpCount) {
    return fail(Code::wrong_shape, graph.name, "op", "a known op", std::to_string(static_cast<int>(node.op)));
  }
  const OpInfo& op = op_info(node.op);
  const Call call{graph, node, out};
  if (static_cast<int>(node.inputs.size()) != op.inputs) {
    return call.bad_attr("inputs", std::to_string(op.inputs), std::to_string(node.inputs.size()));
  }
  for (int i = 0; i < op.inputs; ++i) {
    const ValueId v = node.inputs[i];
    if (v == kNoValue && (op.optional >> i & 1)) continue;
    if (v < 0 || v >= static_cast<ValueId>(graph.values.size())) {
      return call.bad_attr("input " + std::to_string(i), "a value of the graph", std::to_string(v));
    }
    // The rules index dims by rank.
    const int rank = graph.type(v).shape.rank;
    if (rank < 0 || rank > kMaxRank) {
      return call.bad_attr("input " + std::to_string(i), "rank 0 to 4", std::to_string(rank));
    }
  }
  if (static_cast<int>(out.size()) > op.outputs) {
    return call.bad_attr("results", std::to_string(op.outputs), std::to_string(out.size()));
  }
  const Attrs& a = node.attrs;
  if (!std::isfinite(a.scale) || !(a.eps >= 0 && a.eps < 1) || !(a.cap >= 0 && std::isfinite(a.cap)) ||
      static_cast<int>(a.act) > static_cast<int>(Activation::relu)) {
    return call.bad_attr("attributes", "finite, eps 0 to 1, cap 0 or more, a known activation", to_string(a));
  }
  switch (node.op) {
    case Op::embedding:
      return embedding(call);
    case Op::rms_norm:
      return rms_norm(call);
    case Op::linear:
      return linear(call);
    case Op::rope:
      return rope(call);
    case Op::kv_write:
      return kv_write(call);
    case Op::attention:
      return attention(call);
    case Op::add:
    case Op::mul:
      return same_shape(call);
    case Op::activation:
    case Op::scale:
    case Op::softcap:
      return elementwise(call);
    case Op::gather_rows:
      return gather_rows(call);
    case Op::view:
      return view(call);
    case Op::linear_recurrence:
      return linear_recurrence(call);
    case Op::quantize_rows:
      return quantize_rows(call);
    case Op::gated_activation:
      return same_shape(call);
    case Op::linear_add:
      return linear_add(call);
    case Op::add_rms_norm:
      return add_rms_norm(call);
    case Op::norm_linear:
      return norm_linear(call);
    case Op::norm_gated_linear:
      return norm_gated_linear(call);
    case Op::norm_qkv:
      return norm_qkv(call);
  }
  return {};
}

}  // namespace weft
