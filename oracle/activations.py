"""Runs a transformers model once over a prompt and returns every named activation, in execution order."""

import sys

import torch

# Within a layer. Models differ in whether k is projected before or after q is normalised; readers see one order.
_LAYER_ORDER = (
    "input_layernorm self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.q_norm self_attn.k_norm self_attn.q_rope "
    "self_attn.k_rope self_attn.attn self_attn.o_proj"
).split()


def capture(model, ids):
    """{name: tensor}, batch dimension removed, order of execution; the names are listed in README.md."""
    module = sys.modules[type(model).__module__]
    layers = model.model.layers
    acts = {"input_ids": torch.tensor(ids, dtype=torch.int32)}
    handles = []

    def keep(name, t):
        if name in acts:
            raise RuntimeError(f"{name} was computed twice")
        acts[name] = t.detach().squeeze(0).clone()

    def on_output(name, m):
        handles.append(m.register_forward_hook(lambda _, __, out: keep(name, out[0] if isinstance(out, tuple) else out)))

    def on_input(name, m):
        def hook(_, args, kwargs):
            keep(name, args[0] if args else kwargs["hidden_states"])

        handles.append(m.register_forward_pre_hook(hook, with_kwargs=True))

    def on_head_norm(name, m, heads):
        def hook(_, __, out):
            out = out.detach().squeeze(0)
            # [T, heads, D] in some models, [heads, T, D] in others.
            keep(name, out if out.shape[0] == len(ids) else out.transpose(0, 1))
            assert acts[name].shape[:2] == (len(ids), heads)

        handles.append(m.register_forward_hook(hook))

    eager = module.eager_attention_forward
    seen = {}

    def attention(m, query, key, value, mask, **kwargs):
        keep(f"layers.{m.layer_idx}.self_attn.q_rope", query.squeeze(0).transpose(0, 1))
        keep(f"layers.{m.layer_idx}.self_attn.k_rope", key.squeeze(0).transpose(0, 1))
        seen.update(scaling=kwargs.get("scaling"), softcap=kwargs.get("softcap"))
        return eager(m, query, key, value, mask, **kwargs)

    on_output("embed_tokens", model.model.embed_tokens)
    for i, layer in enumerate(layers):
        p, attn, mlp = f"layers.{i}.", layer.self_attn, layer.mlp
        on_output(p + "input_layernorm", layer.input_layernorm)
        for x in ("q_proj", "k_proj", "v_proj", "o_proj"):
            on_output(p + "self_attn." + x, getattr(attn, x))
        if getattr(attn, "q_norm", None) is not None:
            on_head_norm(p + "self_attn.q_norm", attn.q_norm, model.config.num_attention_heads)
            on_head_norm(p + "self_attn.k_norm", attn.k_norm, model.config.num_key_value_heads)
        on_input(p + "self_attn.attn", attn.o_proj)
        sandwich = hasattr(layer, "pre_feedforward_layernorm")
        second = layer.pre_feedforward_layernorm if sandwich else layer.post_attention_layernorm
        on_input(p + "residual_attn", second)
        on_output(p + "post_attention_layernorm", layer.post_attention_layernorm)
        if sandwich:
            on_output(p + "pre_feedforward_layernorm", layer.pre_feedforward_layernorm)
            on_output(p + "post_feedforward_layernorm", layer.post_feedforward_layernorm)
        for x in ("gate_proj", "up_proj", "down_proj"):
            on_output(p + "mlp." + x, getattr(mlp, x))
        on_input(p + "mlp.act", mlp.down_proj)
        on_output(p + "residual_mlp", layer)
    on_output("norm", model.model.norm)

    module.eager_attention_forward = attention
    try:
        with torch.no_grad():
            logits = model(torch.tensor([ids]), use_cache=False).logits
    finally:
        module.eager_attention_forward = eager
        for h in handles:
            h.remove()
    keep("logits", logits)
    acts = in_order(acts)
    expected = {f"layers.{i}.self_attn.q_rope" for i in range(len(layers))}
    if not expected <= acts.keys():
        raise RuntimeError("the model did not run the eager attention of its own file")
    for name, t in acts.items():
        if t.is_floating_point() and not torch.isfinite(t).all():
            raise RuntimeError(f"{name} is not finite")
    return acts, seen


def in_order(acts):
    """The attention's names of each layer in the order above; everything else stays where execution put it."""
    names = list(acts)
    for i in range(sum(n.endswith(".input_layernorm") for n in names)):
        wanted = [f"layers.{i}.{n}" for n in _LAYER_ORDER if f"layers.{i}.{n}" in acts]
        places = sorted(names.index(n) for n in wanted)
        for place, name in zip(places, wanted):
            names[place] = name
    return {n: acts[n] for n in names}
