#include "blocks/decoder.h"

namespace weft {
namespace {

Status build_graph(Model& model, const WeightTable& weights, const DecoderOptions& o, const DecoderLayer& layer,
                   bool from_ids) {
  GraphBuilder g(model, from_ids ? "decode" : "decode_embeddings");
  const Scope scope(g, weights);
  const Dim rows = g.T();
  const ValueId table = scope.weight("embed_tokens.weight", {o.vocabulary, o.width});
  ValueId x;
  if (from_ids) {
    x = g.embedding(g.input("ids", DType::i32, {rows}), table);
    if (o.embedding_scale != 1) x = g.scale(x, o.embedding_scale);
    scope.tap(x, "embed_tokens");
  } else {
    x = g.input("embeddings", DType::f32, {rows, {o.width}});
  }
  Decoder d{g, scope, o, 0, 0, 0};
  d.positions = g.input("positions", DType::i32, {rows, {1}});
  d.slots = g.input("slots", DType::i32, {rows});
  d.cells = g.input("cells", DType::i32, {rows});
  const ValueId wanted = g.input("rows", DType::i32, {g.R()});
  for (int64_t i = 0; i < o.layers && g.ok(); ++i) x = layer(d, i, x);

  // Only the wanted rows go through the last norm and the largest matrix.
  x = scope.rms_norm("norm", g.gather_rows(x, wanted), o.eps);
  const bool tied = !weights.has("lm_head.weight");
  const ValueId head = tied ? table : scope.outer_weight("lm_head.weight", {o.vocabulary, o.width});
  ValueId logits = g.linear(x, head);
  if (o.logit_cap > 0) logits = g.softcap(logits, o.logit_cap);
  scope.tap(logits, "logits");
  g.output("norm", x);
  g.output("logits", logits);
  return g.finish();
}

}  // namespace

Status build_decoder(Model& model, const WeightTable& weights, const DecoderOptions& options,
                     const DecoderLayer& layer) {
  WEFT_CHECK_OK(build_graph(model, weights, options, layer, true));
  return build_graph(model, weights, options, layer, false);
}

ValueId cached_attention(Decoder& d, const Scope& scope, ValueId q, ValueId k, ValueId v,
                         GraphBuilder::AttentionOptions options) {
  GraphBuilder& g = d.g;
  if (!g.ok()) return kNoValue;
  const Shape heads = g.graph().type(k).shape, queries = g.graph().type(q).shape;
  const Shape cache{g.symbol("N"), heads[1], g.symbol("S"), heads[2]};
  auto written = [&](std::string_view state, ValueId x, std::string_view tap) {
    const ValueId s = g.state((scope / state).path(), d.options.kv, cache, Rollback::truncate);
    return scope.tap(g.kv_write(s, x, d.slots, d.cells), tap);
  };
  const ValueId keys = written("k_cache", k, "k_written");
  const ValueId values = written("v_cache", v, "v_written");
  const ValueId y = g.attention(q, keys, values, d.slots, d.cells, options);
  return scope.tap(g.view(y, {queries[0], {queries[1].count * queries[2].count}}), "attn");
}

ValueId split_heads(GraphBuilder& g, ValueId x, int64_t head_size) {
  if (!g.ok()) return kNoValue;
  const Shape shape = g.graph().type(x).shape;
  return g.view(x, {shape[0], {shape[1].count / head_size}, {head_size}});
}

ValueId gated_mlp(const Scope& scope, ValueId x, int64_t ffn, Activation act) {
  GraphBuilder& g = scope.g;
  if (!g.ok()) return kNoValue;
  const int64_t width = g.graph().type(x).shape.back().count;
  const ValueId gate = scope.linear("gate_proj", x, ffn), up = scope.linear("up_proj", x, ffn);
  const ValueId h = scope.tap(g.mul(g.activation(gate, act), up), "act");
  return scope.linear("down_proj", h, width);
}

}  // namespace weft
