// Qwen2 and Qwen2.5 (Yang et al. 2024): Llama's layer with biases on q, k and v.
#include "models/config.h"

namespace weft {

Status build_qwen2(Model& model, const WeightTable& weights, const Config& c) {
  WEFT_TRY(const RopeTable rope, rope_table(c.rope));
  return build_decoder(model, weights, c.decoder(), [&](Decoder& d, int64_t i, ValueId x) {
    GraphBuilder& g = d.g;
    const Scope layer = d.scope / "layers" / i, attn = layer / "self_attn";
    const ValueId freq = g.constant("rope.inv_freq", {c.rope.size / 2}, rope.inv_freq);

    ValueId h = layer.rms_norm("input_layernorm", x, c.eps);  // [T, C]
    auto heads = [&](const char* name, int64_t count) {       // [T, count, D]
      return split_heads(g, attn.linear(name, h, count * c.head_size, Bias::required), c.head_size);
    };
    ValueId q = heads("q_proj", c.heads), k = heads("k_proj", c.kv_heads), v = heads("v_proj", c.kv_heads);
    q = attn.tap(g.rope(q, d.positions, freq, rope.scale), "q_rope");
    k = attn.tap(g.rope(k, d.positions, freq, rope.scale), "k_rope");
    h = cached_attention(d, attn, q, k, v, {.scale = c.scale(), .window = c.window_of(i)});  // [T, H*D]
    x = layer.tap(g.add(x, attn.linear("o_proj", h, c.width)), "residual_attn");

    h = layer.rms_norm("post_attention_layernorm", x, c.eps);
    return layer.tap(g.add(x, gated_mlp(layer / "mlp", h, c.ffn, c.activation)), "residual_mlp");
  });
}

}  // namespace weft
