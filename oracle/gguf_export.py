"""A transformers model as an F32 GGUF file, in the names, metadata and layouts that GGUF files of the same
architecture carry in the wild (llama.cpp's). What is easy to get wrong:

  * `llama` stores the rows of q and k so that rotary pairs lie next to each other; the others keep the two-halves order.
  * Gemma norm weights are stored with the 1 added that the model adds when it runs.
  * llama3 rope scaling is no metadata: it is a tensor of divisors, `rope_freqs.weight`.
  * `rope.dimension_count` is written for `llama` only; elsewhere it follows from the head size.
"""

import torch

from gguf_writer import F32, GgufWriter

_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
# "post_attention_layernorm" names two different things.
_POST_ATTENTION = {"gemma3": "post_attention_norm"}
_GEMMA = {"pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}


def gguf_name(arch, hf_name):
    if hf_name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if hf_name == "model.norm.weight":
        return "output_norm.weight"
    if hf_name == "lm_head.weight":
        return "output.weight"
    _, _, layer, rest = hf_name.split(".", 3)
    stem, kind = rest.rsplit(".", 1)
    if stem == "post_attention_layernorm":
        stem = _POST_ATTENTION.get(arch, "ffn_norm")
    else:
        stem = _LAYER.get(stem) or _GEMMA[stem]
    return f"blk.{layer}.{stem}.{kind}"


def interleave(rows, heads):
    """[H*D, ...] from rotary halves (x_j with x_{j+D/2}) to rotary neighbours (x_2j with x_2j+1)."""
    d = rows.shape[0] // heads
    return rows.reshape(heads, 2, d // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _rope(config):
    """Rope parameters of the full-attention layers, and of the sliding ones where they differ."""
    p = config.rope_parameters
    if "full_attention" in p:
        return p["full_attention"], p["sliding_attention"]
    return p, None


def export(model, arch, path, name):
    c = model.config
    w = GgufWriter()
    heads, kv_heads = c.num_attention_heads, c.num_key_value_heads
    d = getattr(c, "head_dim", None) or c.hidden_size // heads
    rope, rope_swa = _rope(c)

    w.add("general.architecture", arch)
    w.add("general.type", "model")
    w.add("general.name", name)
    w.add("general.file_type", 0)  # all F32
    w.add(f"{arch}.vocab_size", c.vocab_size)
    w.add(f"{arch}.context_length", c.max_position_embeddings)
    w.add(f"{arch}.embedding_length", c.hidden_size)
    w.add(f"{arch}.block_count", c.num_hidden_layers)
    w.add(f"{arch}.feed_forward_length", c.intermediate_size)
    w.add(f"{arch}.attention.head_count", heads)
    w.add(f"{arch}.attention.head_count_kv", kv_heads)
    w.add(f"{arch}.attention.layer_norm_rms_epsilon", float(c.rms_norm_eps))
    if d * heads != c.hidden_size:
        w.add(f"{arch}.attention.key_length", d)
        w.add(f"{arch}.attention.value_length", d)
    if arch == "llama":
        w.add(f"{arch}.rope.dimension_count", d)
    w.add(f"{arch}.rope.freq_base", float(rope["rope_theta"]))
    kind = rope.get("rope_type", "default")
    if kind in ("linear", "yarn"):
        w.add(f"{arch}.rope.scaling.type", kind)
        w.add(f"{arch}.rope.scaling.factor", float(rope["factor"]))
    if kind == "yarn":
        w.add(f"{arch}.rope.scaling.original_context_length", int(rope["original_max_position_embeddings"]))
        w.add(f"{arch}.rope.scaling.yarn_beta_fast", float(rope["beta_fast"]))
        w.add(f"{arch}.rope.scaling.yarn_beta_slow", float(rope["beta_slow"]))
    if arch == "gemma3":
        if rope_swa.get("rope_type", "default") != "default":
            raise ValueError("GGUF has no scaling for the rope of sliding layers")
        w.add("gemma3.rope.freq_base_swa", float(rope_swa["rope_theta"]))
        w.add("gemma3.attention.sliding_window", c.sliding_window)
        pattern = c.layer_types.index("full_attention") + 1
        for i, t in enumerate(c.layer_types):
            if (t == "full_attention") != ((i + 1) % pattern == 0):
                raise ValueError("the layers follow no fixed pattern")
        w.add("gemma3.attention.sliding_window_pattern", pattern)
        if c.query_pre_attn_scalar != d:
            w.add("gemma3.attention.scale", float(c.query_pre_attn_scalar) ** -0.5)
        if c.final_logit_softcapping is not None:
            w.add("gemma3.final_logit_softcapping", float(c.final_logit_softcapping))
        if c.attn_logit_softcapping is not None:
            w.add("gemma3.attn_logit_softcapping", float(c.attn_logit_softcapping))
    w.add("tokenizer.ggml.model", "none")

    if kind == "llama3":
        plain = 1.0 / (rope["rope_theta"] ** (torch.arange(0, d, 2, dtype=torch.float32) / d))
        divisors = plain / model.model.rotary_emb.inv_freq.float().cpu()
        w.add_tensor("rope_freqs.weight", list(divisors.shape), F32, divisors.numpy().tobytes())
    for hf_name, value in model.state_dict().items():
        if hf_name == "lm_head.weight" and c.tie_word_embeddings:
            continue
        value = value.detach().float().cpu()
        if arch == "llama" and ".q_proj." in hf_name:
            value = interleave(value, heads)
        if arch == "llama" and ".k_proj." in hf_name:
            value = interleave(value, kv_heads)
        if arch == "gemma3" and hf_name.endswith("norm.weight"):
            value = value + 1.0
        w.add_tensor(gguf_name(arch, hf_name), list(value.shape), F32, value.contiguous().numpy().tobytes())
    w.write(path)
