"""A dense transformer run from nothing but a GGUF file, in float64: what the metadata and layouts mean, spelled out.

    python3 oracle/gguf_forward.py                   # every golden: all activations and greedy ids against transformers'

Needs numpy. It shares no code with transformers or with the writer, so agreement says that model.gguf carries everything a
reader needs. For `llama` it rotates neighbouring pairs, as the stored row order asks for, and brings q and k back to
transformers' order only to compare them.
"""

import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np

from gguf_reader import Gguf, Safetensors

ROOT = Path(__file__).resolve().parent.parent


class Model:
    def __init__(self, path):
        g = Gguf(path)
        self.gguf = g
        m, arch = g.metadata, g.metadata["general.architecture"]
        self.arch = arch
        get = lambda key, default=None: m.get(f"{arch}.{key}", default)
        self.w = {n: np.array(g.floats(n), np.float64).reshape(t.shape) for n, t in g.tensors.items()}
        self.layers, self.heads = get("block_count"), get("attention.head_count")
        self.kv_heads = get("attention.head_count_kv", self.heads)
        self.width = get("embedding_length")
        self.d = get("attention.key_length", self.width // self.heads)
        self.eps = get("attention.layer_norm_rms_epsilon")
        self.scale = get("attention.scale", self.d**-0.5)
        self.softcap = get("final_logit_softcapping")
        self.window, self.pattern = get("attention.sliding_window"), get("attention.sliding_window_pattern", 6)
        self.interleaved = arch == "llama"
        base, kind = get("rope.freq_base", 10000.0), get("rope.scaling.type", "none")
        self.rope = self._frequencies(base, kind, get)
        local = get("rope.freq_base_swa", 10000.0)
        self.rope_local = (local ** (-np.arange(0, self.d, 2) / self.d), 1.0)

    def _frequencies(self, base, kind, get):
        """Inverse frequencies [D/2] and the factor on cos and sin."""
        d = self.d
        f = base ** (-np.arange(0, d, 2) / d)
        if "rope_freqs.weight" in self.w:
            return f / self.w["rope_freqs.weight"], 1.0
        if kind == "linear":
            return f / get("rope.scaling.factor"), 1.0
        if kind == "yarn":
            factor, length = get("rope.scaling.factor"), get("rope.scaling.original_context_length")
            # The pair that turns n times within the original context.
            pair = lambda n: d * math.log(length / (n * 2 * math.pi)) / (2 * math.log(base))
            low = max(math.floor(pair(get("rope.scaling.yarn_beta_fast", 32.0))), 0)
            high = min(math.ceil(pair(get("rope.scaling.yarn_beta_slow", 1.0))), d - 1)
            ramp = np.clip((np.arange(d // 2) - low) / max(high - low, 0.001), 0, 1)
            return f * (1 - ramp) + f / factor * ramp, 1 + 0.1 * math.log(factor)
        return f, 1.0

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name]

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def rotate(self, x, rope):
        """x [T, heads, D]; positions are 0 .. T-1."""
        frequencies, factor = rope
        angle = np.arange(x.shape[0])[:, None, None] * frequencies
        cos, sin = np.cos(angle) * factor, np.sin(angle) * factor
        half = self.d // 2
        a, b = (x[..., 0::2], x[..., 1::2]) if self.interleaved else (x[..., :half], x[..., half:])
        a, b = a * cos - b * sin, a * sin + b * cos
        if self.interleaved:
            return np.stack([a, b], -1).reshape(x.shape)
        return np.concatenate([a, b], -1)

    def halves(self, x):
        """Neighbouring rotary pairs back to transformers' order of two halves, for comparison."""
        return np.concatenate([x[..., 0::2], x[..., 1::2]], -1) if self.interleaved else x

    def forward(self, ids, acts=None):
        """Logits [T, V]; with `acts` (a dict) every named activation is kept."""
        acts = {} if acts is None else acts
        T, H, K, D = len(ids), self.heads, self.kv_heads, self.d
        gemma = self.arch == "gemma3"
        x = self.w["token_embd.weight"][np.array(ids)]
        if gemma:
            x = x * math.sqrt(self.width)
        acts["embed_tokens"] = x
        past = np.arange(T)[:, None] - np.arange(T)[None, :]
        for i in range(self.layers):
            b, p = f"blk.{i}.", f"layers.{i}."
            local = gemma and (i + 1) % self.pattern != 0
            h = acts[p + "input_layernorm"] = self.norm(x, b + "attn_norm.weight")
            q, k, v = (self.linear(h, b + n) for n in ("attn_q", "attn_k", "attn_v"))
            q, k, v = q.reshape(T, H, D), k.reshape(T, K, D), v.reshape(T, K, D)
            acts[p + "self_attn.q_proj"] = self.halves(q).reshape(T, -1)
            acts[p + "self_attn.k_proj"] = self.halves(k).reshape(T, -1)
            acts[p + "self_attn.v_proj"] = v.reshape(T, -1)
            if b + "attn_q_norm.weight" in self.w:
                q = acts[p + "self_attn.q_norm"] = self.norm(q, b + "attn_q_norm.weight")
                k = acts[p + "self_attn.k_norm"] = self.norm(k, b + "attn_k_norm.weight")
            rope = self.rope_local if local else self.rope
            q, k = self.rotate(q, rope), self.rotate(k, rope)
            acts[p + "self_attn.q_rope"], acts[p + "self_attn.k_rope"] = self.halves(q), self.halves(k)
            k, v = np.repeat(k, H // K, 1), np.repeat(v, H // K, 1)
            s = np.einsum("thd,shd->hts", q, k) * self.scale
            hidden = (past < 0) | (past >= self.window if local else False)
            s = np.where(hidden, -np.inf, s)
            s = np.exp(s - s.max(-1, keepdims=True))
            s /= s.sum(-1, keepdims=True)
            a = acts[p + "self_attn.attn"] = np.einsum("hts,shd->thd", s, v).reshape(T, H * D)
            a = acts[p + "self_attn.o_proj"] = self.linear(a, b + "attn_output")
            if gemma:
                a = acts[p + "post_attention_layernorm"] = self.norm(a, b + "post_attention_norm.weight")
            x = acts[p + "residual_attn"] = x + a
            h = self.norm(x, b + "ffn_norm.weight")
            acts[p + ("pre_feedforward_layernorm" if gemma else "post_attention_layernorm")] = h
            gate = acts[p + "mlp.gate_proj"] = self.linear(h, b + "ffn_gate")
            up = acts[p + "mlp.up_proj"] = self.linear(h, b + "ffn_up")
            if gemma:  # GELU, the tanh form
                gate = 0.5 * gate * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
            else:  # SiLU
                gate = gate / (1 + np.exp(-gate))
            h = acts[p + "mlp.act"] = gate * up
            h = acts[p + "mlp.down_proj"] = self.linear(h, b + "ffn_down")
            if gemma:
                h = acts[p + "post_feedforward_layernorm"] = self.norm(h, b + "post_ffw_norm.weight")
            x = acts[p + "residual_mlp"] = x + h
        x = acts["norm"] = self.norm(x, "output_norm.weight")
        logits = x @ self.w.get("output.weight", self.w["token_embd.weight"]).T
        if self.softcap is not None:
            logits = np.tanh(logits / self.softcap) * self.softcap
        acts["logits"] = logits
        return logits

    def greedy(self, ids, steps):
        """(ids, smallest gap between the two best logits)"""
        ids, gap = list(ids), math.inf
        for _ in range(steps):
            last = self.forward(ids)[-1]
            best = np.argsort(last)[::-1][:2]
            gap = min(gap, float(last[best[0]] - last[best[1]]))
            ids.append(int(best[0]))
        return ids[-steps:], gap


def check(folder):
    golden = json.loads((folder / "golden.json").read_text())
    reference = Safetensors(folder / "acts.safetensors")
    model, mine = Model(folder / "model.gguf"), {}
    model.forward(golden["prompts"][0]["ids"], mine)
    worst, where = 0.0, ""
    names = [n for n in reference.header if n != "input_ids"]
    if names != list(mine):
        return f"other names or order: {sorted(set(names) ^ set(mine))}"
    for name in names:
        shape = reference.header[name]["shape"]
        if list(mine[name].shape) != shape:
            return f"{name}: shape {list(mine[name].shape)}, in the golden {shape}"
        b = np.array(reference.values(name), np.float64).reshape(shape)
        ratio = float((np.abs(mine[name] - b) / (1e-3 + 1e-3 * np.abs(b))).max())
        if not ratio <= worst:
            worst, where = ratio, name
    same = 0
    for p in golden["prompts"]:
        ids, gap = model.greedy(p["ids"], len(p["greedy"]))
        if ids != p["greedy"] or abs(gap - p["min_gap"]) > 1e-3:
            return f"greedy ids or gap of the prompt of {len(p['ids'])} tokens differ"
        same += 1
    if worst > 0.1:
        return f"{where} is off by {worst:.3f} of the tolerance"
    print(f"{folder.name}: {len(names)} activations within {worst:.5f} of the tolerance ({where}), {same} greedy texts equal")
    return None


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "golden"
    failed = 0
    for path in sorted(root.glob("*/golden.json")):
        wrong = check(path.parent)
        if wrong:
            failed += 1
            print(f"{path.parent.name}: {wrong}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
