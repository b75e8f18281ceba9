// Gemma 3, the text model (Gemma Team 2025): norms before and after both halves of a layer, q and k normalised, five
// sliding layers (their own rope base, never stretched) to one that sees everything, embeddings times sqrt(C).
// The weights of its norms arrive with the 1 added (src/weights).
#include <cmath>

#include "models/config.h"

namespace weft {
namespace {

// query_pre_attn_scalar ** -0.5 where the file says so. Files that do not follow the published models, where it is
// the head size, but for the largest (62 layers), where it is C / H.
float attention_scale(const Config& c) {
  if (c.attention_scale > 0 || c.layers != 62) return c.scale();
  return 1 / std::sqrt(static_cast<float>(c.width) / static_cast<float>(c.heads));
}

}  // namespace

Status build_gemma3(Model& model, const WeightTable& weights, const Config& c) {
  WEFT_TRY(const RopeTable full, rope_table(c.rope));
  WEFT_TRY(const RopeTable sliding, rope_table({.size = c.rope.size, .base = c.sliding_base}));
  DecoderOptions options = c.decoder();
  options.embedding_scale = std::sqrt(static_cast<float>(c.width));
  return build_decoder(model, weights, options, [&](Decoder& d, int64_t i, ValueId x) {
    GraphBuilder& g = d.g;
    const Scope layer = d.scope / "layers" / i, attn = layer / "self_attn";
    const RopeTable& rope = c.slides[i] ? sliding : full;
    const ValueId freq =
        g.constant(c.slides[i] ? "rope.inv_freq_sliding" : "rope.inv_freq", {c.rope.size / 2}, rope.inv_freq);

    ValueId h = layer.rms_norm("input_layernorm", x, c.eps);                                      // [T, C]
    ValueId q = split_heads(g, attn.linear("q_proj", h, c.heads * c.head_size), c.head_size);     // [T, H, D]
    ValueId k = split_heads(g, attn.linear("k_proj", h, c.kv_heads * c.head_size), c.head_size);  // [T, K, D]
    ValueId v = split_heads(g, attn.linear("v_proj", h, c.kv_heads * c.head_size), c.head_size);
    q = attn.rms_norm("q_norm", q, c.eps);
    k = attn.rms_norm("k_norm", k, c.eps);
    q = attn.tap(g.rope(q, d.positions, freq, rope.scale), "q_rope");
    k = attn.tap(g.rope(k, d.positions, freq, rope.scale), "k_rope");
    h = cached_attention(d, attn, q, k, v,
                         {.scale = attention_scale(c), .window = c.window_of(i), .cap = c.attention_cap});
    h = layer.rms_norm("post_attention_layernorm", attn.linear("o_proj", h, c.width), c.eps);
    x = layer.tap(g.add(x, h), "residual_attn");

    h = layer.rms_norm("pre_feedforward_layernorm", x, c.eps);
    h = gated_mlp(layer / "mlp", h, c.ffn, c.activation);
    h = layer.rms_norm("post_feedforward_layernorm", h, c.eps);
    return layer.tap(g.add(x, h), "residual_mlp");
  });
}

}  // namespace weft
