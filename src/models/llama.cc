// Llama 2 and 3 (Touvron et al. 2023; Llama Team 2024), and what is built like it: SmolLM2, TinyStories, Mistral 7B
// (sliding window in every layer where the file gives one), with biases only where the file has them.
#include "models/config.h"

namespace weft {

Status build_llama(Model& model, const WeightTable& weights, const Config& c) {
  WEFT_TRY(const RopeTable rope, rope_table(c.rope));
  return build_decoder(model, weights, c.decoder(), [&](Decoder& d, int64_t i, ValueId x) {
    GraphBuilder& g = d.g;
    const Scope layer = d.scope / "layers" / i, attn = layer / "self_attn";
    const ValueId freq = g.constant("rope.inv_freq", {c.rope.size / 2}, rope.inv_freq);

    ValueId h = layer.rms_norm("input_layernorm", x, c.eps);                                      // [T, C]
    ValueId q = split_heads(g, attn.linear("q_proj", h, c.heads * c.head_size), c.head_size);     // [T, H, D]
    ValueId k = split_heads(g, attn.linear("k_proj", h, c.kv_heads * c.head_size), c.head_size);  // [T, K, D]
    ValueId v = split_heads(g, attn.linear("v_proj", h, c.kv_heads * c.head_size), c.head_size);
    q = attn.tap(g.rope(q, d.positions, freq, rope.scale), "q_rope");
    k = attn.tap(g.rope(k, d.positions, freq, rope.scale), "k_rope");
    h = cached_attention(d, attn, q, k, v, {.scale = c.scale(), .window = c.window_of(i)});  // [T, H*D]
    x = layer.tap(g.add(x, attn.linear("o_proj", h, c.width)), "residual_attn");

    h = layer.rms_norm("post_attention_layernorm", x, c.eps);
    return layer.tap(g.add(x, gated_mlp(layer / "mlp", h, c.ffn, c.activation)), "residual_mlp");
  });
}

}  // namespace weft
