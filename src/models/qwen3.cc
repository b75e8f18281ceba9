// Qwen3, the dense models (Yang et al. 2025): each head of q and k is normalised before it is rotated; no biases; the
// head size is a number of its own.
#include "models/config.h"

namespace weft {

Status build_qwen3(Model& model, const WeightTable& weights, const Config& c) {
  WEFT_TRY(const RopeTable rope, rope_table(c.rope));
  return build_decoder(model, weights, c.decoder(), [&](Decoder& d, int64_t i, ValueId x) {
    GraphBuilder& g = d.g;
    const Scope layer = d.scope / "layers" / i, attn = layer / "self_attn";
    const ValueId freq = g.constant("rope.inv_freq", {c.rope.size / 2}, rope.inv_freq);

    ValueId h = layer.rms_norm("input_layernorm", x, c.eps);                                      // [T, C]
    ValueId q = split_heads(g, attn.linear("q_proj", h, c.heads * c.head_size), c.head_size);     // [T, H, D]
    ValueId k = split_heads(g, attn.linear("k_proj", h, c.kv_heads * c.head_size), c.head_size);  // [T, K, D]
    ValueId v = split_heads(g, attn.linear("v_proj", h, c.kv_heads * c.head_size), c.head_size);
    q = attn.rms_norm("q_norm", q, c.eps);
    k = attn.rms_norm("k_norm", k, c.eps);
    q = attn.tap(g.rope(q, d.positions, freq, rope.scale), "q_rope");
    k = attn.tap(g.rope(k, d.positions, freq, rope.scale), "k_rope");
    h = cached_attention(d, attn, q, k, v, {.scale = c.scale(), .window = c.window_of(i)});  // [T, H*D]
    x = layer.tap(g.add(x, attn.linear("o_proj", h, c.width)), "residual_attn");

    h = layer.rms_norm("post_attention_layernorm", x, c.eps);
    return layer.tap(g.add(x, gated_mlp(layer / "mlp", h, c.ffn, c.activation)), "residual_mlp");
  });
}

}  // namespace weft
