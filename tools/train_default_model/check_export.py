"""Checks the exported files against the checkpoint, and writes what the engine must reproduce.

    python3 check_export.py --checkpoint best.npz --q8 weft-stories-7m-q8_0.gguf --f32 default-f32.gguf \\
        --tokenizer tokenizer.model --valid valid.npz [--write reference.json]

Everything here is float64: the checkpoint with its own row order (rotary halves), and the files read back byte by byte by
oracle/gguf_reader.py and run by oracle/gguf_forward.py (rotary neighbours). The three must agree on the validation stories.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "oracle"))
sys.path.insert(0, str(HERE))

import numpy as np
import sentencepiece

from gguf_forward import Model

PROMPTS = [
    "Once upon a time",
    "One day, a little dog named Max",
    "Tom and Mia went to the park.",
    "There was a big tree in the forest.",
    "Once upon a time, there was a cat",
    "Sara liked to draw.",
    "A little boy named Tim wanted to",
    "One day, it was raining.",
    "The little rabbit was hungry.",
    "Lily and Ben are friends. They like to",
    "Once there was a kind old man who lived",
]
TOKENIZER_CASES = [
    "Once upon a time, there was a little girl named Lily.",
    " Two spaces  and a tab\there.",
    "One paragraph.\nThey said, \"Hello!\"\n\nThe end.",
    "It's 2026, and 17 cats don't care.",
    "",
    "naïve café — 😀",
    "antidisestablishmentarianism",
]
STEPS = 64


class Checkpoint:
    """The model as it was trained, from the .npz."""

    def __init__(self, path):
        z = np.load(path)
        self.c = json.loads(str(z["config"]))
        self.w = {k: z[k].astype(np.float64) for k in z.files if k != "config"}

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.c["eps"]) * self.w[name]

    def forward(self, ids):
        c, T = self.c, len(ids)
        H, K, D = c["H"], c["K"], c["C"] // c["H"]
        x = self.w["embed.weight"][np.array(ids)]
        angle = np.arange(T)[:, None] * c["base"] ** (-np.arange(0, D, 2) / D)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]

        def rotate(u):
            a, b = u[..., :D // 2], u[..., D // 2:]
            return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

        future = np.triu(np.ones((T, T), bool), 1)
        for i in range(c["L"]):
            w = {n: self.w[f"layers.{i}.{n}.weight"] for n in ("q", "k", "v", "o", "gate", "up", "down")}
            h = self.norm(x, f"layers.{i}.attn_norm.weight")
            q, k = rotate((h @ w["q"].T).reshape(T, H, D)), rotate((h @ w["k"].T).reshape(T, K, D))
            v = (h @ w["v"].T).reshape(T, K, D)
            k, v = np.repeat(k, H // K, 1), np.repeat(v, H // K, 1)
            s = np.where(future, -np.inf, np.einsum("thd,shd->hts", q, k) / math.sqrt(D))
            s = np.exp(s - s.max(-1, keepdims=True))
            s /= s.sum(-1, keepdims=True)
            x = x + np.einsum("hts,shd->thd", s, v).reshape(T, -1) @ w["o"].T
            h = self.norm(x, f"layers.{i}.ffn_norm.weight")
            gate = h @ w["gate"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w["up"].T)) @ w["down"].T
        return self.norm(x, "norm.weight") @ self.w["embed.weight"].T


def nll(model, ids):
    """Nats of each token after the first."""
    logits = model.forward(ids)[:-1]
    top = logits.max(-1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(-1))
    return total - logits[np.arange(len(ids) - 1), ids[1:]]


def validation_pieces(path):
    """The validation stories as token runs, and their bytes; a story longer than the context is cut."""
    z = np.load(path)
    mine = np.flatnonzero(z["source"] == 0)
    runs = [z["tokens"][z["start"][i]:z["start"][i + 1]].astype(np.int64) for i in mine]
    _, first = np.unique(z["document"][mine], return_index=True)
    return runs, int(z["bytes"][mine][first].sum())


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkpoint", "q8", "f32", "tokenizer", "valid"):
        args.add_argument(f"--{name}", required=True)
    args.add_argument("--write", type=Path)
    args = args.parse_args()
    sp = sentencepiece.SentencePieceProcessor(args.tokenizer)
    models = {"checkpoint": Checkpoint(args.checkpoint), "f32": Model(args.f32), "q8_0": Model(args.q8)}
    runs, size = validation_pieces(args.valid)
    count = sum(len(r) - 1 for r in runs)
    result = {}
    for name, model in models.items():
        total = sum(float(nll(model, r).sum()) for r in runs)
        result[name] = {"nats_per_token": round(total / count, 5), "nats_per_byte": round(total / size, 5)}
        print(f"{name}: {total / count:.5f} nats a token, {total / size:.5f} a byte ({count} tokens, {size} bytes)", flush=True)
    base = result["checkpoint"]["nats_per_token"]
    if abs(result["f32"]["nats_per_token"] - base) > 1e-5 or abs(result["q8_0"]["nats_per_token"] - base) > 0.02:
        raise SystemExit("the exported files do not predict as the checkpoint does")
    if not args.write:
        return

    q8 = models["q8_0"]
    candidates = []
    for text in PROMPTS:
        ids = [sp.bos_id()] + sp.encode(text)
        out, gap = q8.greedy(ids, STEPS)
        ended = out.index(sp.eos_id()) if sp.eos_id() in out else None
        print(f"{text!r}: gap {gap:.4f}, end at {ended}: {sp.decode(out[:ended])!r}", flush=True)
        candidates.append({
            "text": text, "ids": ids, "greedy": out, "min_gap": round(gap, 6), "end_of_text_at": ended,
            "greedy_text": sp.decode(out[:ended]),
        })
    # The first prompt, and the two of the others that stay clearest of near ties.
    rest = sorted(candidates[1:], key=lambda c: -c["min_gap"])[:2]
    long = next(r for r in runs if len(r) >= 512)[:512]
    each = nll(q8, long)
    reference = {
        "model": Path(args.q8).name,
        "arithmetic": "float64 over the dequantised Q8_0 weights; greedy ids go on past end_of_text (id 2)",
        "validation": {"tokens": count, "bytes": size, **result},
        "prompts": [candidates[0]] + rest,
        "nll": {
            "ids": long.tolist(),
            "nats_per_token": round(float(each.mean()), 6),
            "nats": [round(float(x), 5) for x in each],
            "note": "nats[i] is the cost of ids[i + 1] after ids[0..i]",
        },
        "tokenizer": [{"text": t, "ids": sp.encode(t)} for t in TOKENIZER_CASES],
    }
    lines = json.dumps(reference, indent=1, ensure_ascii=False)
    lines = re.sub(r"\[\s+((?:-?[\d.e-]+,\s+)*-?[\d.e-]+)\s+\]", lambda m: "[" + " ".join(m[1].split()) + "]", lines)
    args.write.write_text(lines + "\n")


if __name__ == "__main__":
    main()
