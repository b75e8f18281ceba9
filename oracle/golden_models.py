"""The tiny random models that the goldens are made from: one row a model.

Sizes are small enough to commit and awkward on purpose: widths that no tile divides, an odd vocabulary, fewer key heads
than query heads, a head size that is not C / H. Seeds are fixed; what a seed gives is checked by `make_goldens.py --check`.
"""

from dataclasses import dataclass, field

import torch
import transformers


@dataclass
class Golden:
    name: str
    arch: str  # GGUF's name of the architecture
    config: dict
    seed: int
    config_class: str = "LlamaConfig"
    model_class: str = "LlamaForCausalLM"
    sharded: bool = False
    notes: list = field(default_factory=list)


def _base(**changes):
    c = dict(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    c.update(changes)
    return c


def _gemma(**changes):
    layers = 7
    c = _base(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_key_value_heads=1,
        head_dim=16,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        pad_token_id=0,
        query_pre_attn_scalar=24,
        sliding_window=8,
        final_logit_softcapping=20.0,
        layer_types=["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    )
    c.update(changes)
    return c


_GEMMA_NOTES = [
    "gemma3.attention.scale holds query_pre_attn_scalar ** -0.5 and multiplies q.k; real Gemma 3 files have no such key, "
    "and the scale is then head_dim ** -0.5 (for the 62-layer 27B: (C / H) ** -0.5)",
    "gemma3.attention.sliding_window_pattern = 6: layer i attends to everything when (i + 1) % 6 == 0, else to the last "
    "sliding_window positions, itself included (j is seen from i when i - j < 8)",
    "attn_logit_softcapping is left unset: transformers keeps the setting for Gemma 3 but its attention does not apply it, "
    "and llama.cpp's converter refuses it; make_goldens.py asserts that this is still so",
    "norm weights are stored with 1 added in model.gguf and without it in hf/",
]

GOLDENS = [
    Golden(
        "llama",
        "llama",
        _base(vocab_size=384, intermediate_size=176, num_hidden_layers=3),
        seed=1,
    ),
    Golden(
        "llama3_rope",
        "llama",
        _base(
            tie_word_embeddings=True,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        ),
        seed=2,
        notes=["llama3 scaling is the tensor rope_freqs.weight [D/2]: each inverse frequency is divided by its entry"],
    ),
    Golden(
        "llama_linear_rope",
        "llama",
        _base(
            vocab_size=257,
            tie_word_embeddings=True,
            rms_norm_eps=1e-2,  # large enough to be missed when a reader takes it for the usual 1e-5
            rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
        ),
        seed=3,
    ),
    Golden(
        "llama_yarn",
        "llama",
        _base(
            rope_parameters={
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 4.0,
                "original_max_position_embeddings": 256,
                "beta_fast": 4.0,
                "beta_slow": 1.0,
            },
            max_position_embeddings=1024,
        ),
        seed=4,
        notes=["the attention factor 0.1 * ln(factor) + 1 multiplies cos and sin; it is derived, not written in the file"],
    ),
    Golden(
        "qwen2",
        "qwen2",
        _base(tie_word_embeddings=True, rms_norm_eps=1e-6),
        seed=5,
        config_class="Qwen2Config",
        model_class="Qwen2ForCausalLM",
        sharded=True,
    ),
    Golden(
        "qwen3",
        "qwen3",
        _base(head_dim=32, intermediate_size=160, rms_norm_eps=1e-6),
        seed=6,
        config_class="Qwen3Config",
        model_class="Qwen3ForCausalLM",
    ),
    Golden(
        "gemma3",
        "gemma3",
        _gemma(),
        seed=7,
        config_class="Gemma3TextConfig",
        model_class="Gemma3ForCausalLM",
        notes=_GEMMA_NOTES,
    ),
    Golden(
        "gemma3_linear_rope",
        "gemma3",
        _gemma(
            hidden_size=32,
            num_key_value_heads=2,
            query_pre_attn_scalar=16,
            final_logit_softcapping=None,
            rope_parameters={
                "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        ),
        seed=8,
        config_class="Gemma3TextConfig",
        model_class="Gemma3ForCausalLM",
        notes=_GEMMA_NOTES[1:]
        + ["as in the 4B and larger models, linear rope scaling holds for the full-attention layers alone"],
    ),
]


def build(golden):
    """The model, float32 on the CPU, filled from its seed: activations of order one, nothing degenerate."""
    config = getattr(transformers, golden.config_class)(**golden.config)
    config._attn_implementation = "eager"
    model = getattr(transformers, golden.model_class)(config).float().eval()
    g = torch.Generator().manual_seed(golden.seed)
    gemma = golden.arch == "gemma3"
    # Gemma multiplies embeddings by sqrt(C) on the way in but not on the way out.
    embedding_std = 1.1 / config.hidden_size**0.5 if gemma else 0.35 if config.tie_word_embeddings else 0.5
    # The layers must outweigh the embedding in the residual stream: where the output matrix is the embedding, a token
    # else predicts itself for ever, and a greedy text of one repeated id tests little.
    gain = {"q_proj": 1.2, "k_proj": 1.2, "gate_proj": 1.2, "o_proj": 2.5, "down_proj": 2.5}
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            leaf = name.split(".")[-2]
            if name.endswith("norm.weight"):
                after_block = gemma and leaf in ("post_attention_layernorm", "post_feedforward_layernorm")
                centre = 1.0 if after_block or not gemma else 0.0
                p.copy_(torch.rand(p.shape, generator=g) - 0.5 + centre)
            elif leaf in ("embed_tokens", "lm_head"):
                # Rows of unequal length, as trained vocabularies have them: the best logit then stands clear more often.
                length = torch.exp(0.4 * torch.randn(p.shape[0], 1, generator=g))
                p.copy_(torch.randn(p.shape, generator=g) * length * (embedding_std if leaf == "embed_tokens" else 0.5))
            elif name.endswith("bias"):
                p.copy_(torch.randn(p.shape, generator=g) * (0.2 if leaf == "v_proj" else 0.5))
            else:
                p.copy_(torch.randn(p.shape, generator=g) * (gain.get(leaf, 1.0) / p.shape[1] ** 0.5))
    return model
