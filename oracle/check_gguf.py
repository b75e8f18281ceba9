"""Checks the committed goldens, and any GGUF file, with the standard library alone.

    python3 oracle/check_gguf.py                     # every folder of tests/golden
    python3 oracle/check_gguf.py model.gguf          # the file's structure, printed

For a golden: the table of tensors (alignment, order, no holes, no overlap), every weight of model.gguf against hf/ (row
permutation, the added 1, transposition, ties), rope divisors, shards against the whole, and the activations' names, order,
shapes and finiteness. The rules are written here a second time, element by element, not taken from gguf_export.py.
"""

import json
import math
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gguf_reader import BadFile, Gguf, Safetensors

ROOT = Path(__file__).resolve().parent.parent


def expect(condition, what):
    if not condition:
        raise BadFile(what)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def hf_name(arch, name):
    fixed = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    if name in fixed:
        return fixed[name]
    if name == "output.weight":
        return "lm_head.weight"
    _, layer, stem, kind = name.split(".")
    inside = {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "post_attention_norm": "post_attention_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
        "ffn_norm": "pre_feedforward_layernorm" if arch == "gemma3" else "post_attention_layernorm",
    }[stem]
    return f"model.layers.{layer}.{inside}.{kind}"


def check_weights(g, folder):
    arch, m = g.metadata["general.architecture"], g.metadata
    hf = Safetensors(folder / "hf" / "model.safetensors")
    config = json.loads((folder / "hf" / "config.json").read_text())
    heads = {"attn_q": m[f"{arch}.attention.head_count"], "attn_k": m[f"{arch}.attention.head_count_kv"]}
    seen = set()
    for name, t in g.tensors.items():
        expect(t.type == "F32", f"{name} is {t.type}")
        if name == "rope_freqs.weight":
            check_divisors(g.floats(name), config)
            continue
        other = hf_name(arch, name)
        seen.add(other)
        expect(hf.header[other]["shape"] == t.shape, f"{name}: shape {t.shape}, in hf {hf.header[other]['shape']}")
        mine, theirs = g.floats(name), hf.values(other)
        stem = name.split(".")[2] if name.startswith("blk.") else name
        if arch == "llama" and stem in heads:
            # Rotary pair j of a head: GGUF has rows 2j and 2j+1, transformers rows j and j + D/2.
            n, columns = heads[stem], t.shape[1]
            d = t.shape[0] // n
            for h in range(n):
                for j in range(d // 2):
                    for half in range(2):
                        a = (h * d + 2 * j + half) * columns
                        b = (h * d + j + half * (d // 2)) * columns
                        expect(mine[a:a + columns] == theirs[b:b + columns], f"{name}: row {a // columns}")
        elif arch == "gemma3" and name.endswith("norm.weight"):
            expect(all(x == f32(y + 1.0) for x, y in zip(mine, theirs)), f"{name}: not 1 + hf")
        else:
            expect(mine == theirs, f"{name} differs from {other}")
    expect(seen == set(hf.header), f"tensors in one place only: {sorted(seen ^ set(hf.header))}")
    expect(("output.weight" in g.tensors) != config["tie_word_embeddings"], "output.weight and tie_word_embeddings")
    index = folder / "hf_sharded" / "model.safetensors.index.json"
    if index.exists():
        where = json.loads(index.read_text())["weight_map"]
        expect(set(where) == set(hf.header), "the index names other tensors")
        shards = {s: Safetensors(folder / "hf_sharded" / s) for s in set(where.values())}
        expect(len(shards) == 2, f"{len(shards)} shards")
        for name, shard in where.items():
            expect(shards[shard].values(name) == hf.values(name), f"shard of {name}")


def check_divisors(divisors, config):
    """llama3: long waves are slowed by the factor, short ones stay, those between are blended."""
    p = config["rope_parameters"]
    d = config["head_dim"]
    expect(len(divisors) == d // 2, "rope_freqs.weight has another length")
    kinds = set()
    for j, divisor in enumerate(divisors):
        wave = 2 * math.pi * p["rope_theta"] ** (2 * j / d)
        length = p["original_max_position_embeddings"]
        if wave < length / p["high_freq_factor"]:
            want, kind = 1.0, "kept"
        elif wave > length / p["low_freq_factor"]:
            want, kind = p["factor"], "slowed"
        else:
            s = (length / wave - p["low_freq_factor"]) / (p["high_freq_factor"] - p["low_freq_factor"])
            want, kind = 1 / ((1 - s) / p["factor"] + s), "blended"
        kinds.add(kind)
        expect(abs(divisor - want) < 1e-5 * want, f"rope_freqs[{j}] = {divisor}, expected {want}")
    expect(len(kinds) == 3, "the divisors do not show all three cases")


def check_metadata(g, folder):
    arch, m = g.metadata["general.architecture"], g.metadata
    c = json.loads((folder / "hf" / "config.json").read_text())
    p = c["rope_parameters"]
    p = p.get("full_attention", p)
    d = c.get("head_dim", c["hidden_size"] // c["num_attention_heads"])
    want = {
        "block_count": c["num_hidden_layers"],
        "context_length": c["max_position_embeddings"],
        "embedding_length": c["hidden_size"],
        "feed_forward_length": c["intermediate_size"],
        "vocab_size": c["vocab_size"],
        "attention.head_count": c["num_attention_heads"],
        "attention.head_count_kv": c["num_key_value_heads"],
        "attention.layer_norm_rms_epsilon": f32(c["rms_norm_eps"]),
        "rope.freq_base": f32(p["rope_theta"]),
    }
    for key, value in want.items():
        expect(m.get(f"{arch}.{key}") == value, f"{arch}.{key}: {m.get(f'{arch}.{key}')}, expected {value}")
    expect(m.get(f"{arch}.attention.key_length", c["hidden_size"] // c["num_attention_heads"]) == d, "key_length")
    expect(g.tensors["blk.0.attn_q.weight"].shape == [c["num_attention_heads"] * d, c["hidden_size"]], "attn_q shape")
    scaled = p["rope_type"] if p["rope_type"] in ("linear", "yarn") else None
    expect(m.get(f"{arch}.rope.scaling.type") == scaled, "rope.scaling.type")
    expect(("rope_freqs.weight" in g.tensors) == (p["rope_type"] == "llama3"), "rope_freqs.weight")
    if arch == "gemma3":
        expect(m["gemma3.attention.sliding_window"] == c["sliding_window"], "sliding_window")
        n = m["gemma3.attention.sliding_window_pattern"]
        kinds = ["full_attention" if (i + 1) % n == 0 else "sliding_attention" for i in range(c["num_hidden_layers"])]
        expect(kinds == c["layer_types"], "sliding_window_pattern")
        scale = m.get("gemma3.attention.scale", f32(d**-0.5))
        expect(scale == f32(c["query_pre_attn_scalar"] ** -0.5), "attention.scale")


def check_activations(folder):
    golden = json.loads((folder / "golden.json").read_text())
    acts = Safetensors(folder / "acts.safetensors")
    order = acts.metadata["order"].split(",")
    expect(order == list(acts.header), "the header is not in execution order")
    ids = golden["prompts"][golden["activations_of_prompt"]]["ids"]
    expect(list(acts.values("input_ids")) == ids, "input_ids are not the prompt")
    for name, t in acts.header.items():
        expect(t["shape"][0] == len(ids), f"{name}: shape {t['shape']}")
        if t["dtype"] == "F32":
            values = acts.values(name)
            expect(all(math.isfinite(v) for v in values), f"{name} is not finite")
            mean = sum(values) / len(values)
            expect(sum((v - mean) ** 2 for v in values) > 1e-6 * len(values), f"{name} is constant")
    last = acts.values("logits")[-acts.header["logits"]["shape"][1]:]
    expect(last.index(max(last)) == golden["prompts"][0]["greedy"][0], "logits and the first greedy id disagree")
    for p in golden["prompts"]:
        expect(p["min_gap_over_tolerance"] >= 20 and len(p["greedy"]) == 24, "a prompt breaks the gap rule")
    return len(order)


def describe(path):
    g = Gguf(path)
    for key, value in g.metadata.items():
        text = repr(value) if not isinstance(value, list) else f"[{len(value)}] {value[:4]!r} …"
        print(f"{key} = {text[:160]}")
    for t in g.tensors.values():
        print(f"{t.name:32} {t.type:5} {str(t.shape):14} at {t.offset}, {t.bytes} bytes")


def main():
    if len(sys.argv) > 1 and sys.argv[1].endswith(".gguf"):
        return describe(sys.argv[1])
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "golden"
    folders = sorted(p.parent for p in root.glob("*/golden.json"))
    failed = 0 if folders else 1
    for folder in folders:
        try:
            g = Gguf(folder / "model.gguf")
            check_metadata(g, folder)
            check_weights(g, folder)
            print(f"{folder.name}: {len(g.tensors)} tensors, {check_activations(folder)} activations")
        except (BadFile, KeyError, ValueError) as e:
            failed += 1
            print(f"{folder.name}: {type(e).__name__}: {e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
