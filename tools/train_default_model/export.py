"""A trained checkpoint as GGUF files: F32 for tests, Q8_0 for everyone.

    python3 export.py --checkpoint best.npz --tokenizer tokenizer.model --q8 weft-stories-7m-q8_0.gguf --f32 default-f32.gguf

Needs numpy and sentencepiece.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "oracle"))

import numpy as np
import sentencepiece

from gguf_writer import F32, Q8_0, GgufWriter

NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6

DESCRIPTION = (
    "A very small story teller: it continues the opening of a children's story in simple English. Trained from scratch on seven "
    "megabytes of children's stories for Weft's tests and first run; it knows nothing else."
)


def interleave(rows, heads):
    """Rotary halves to rotary neighbours: the row order that `llama` files store."""
    d = rows.shape[0] // heads
    return rows.reshape(heads, 2, d // 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def q8_0(rows):
    """Blocks of 32: a half-precision scale (largest magnitude / 127) and 32 signed bytes, rounded to nearest, ties away."""
    x = rows.astype(np.float32).reshape(-1, 32)
    scale = np.abs(x).max(1) / np.float32(127)
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    y = x * inverse[:, None]
    q = np.trunc(y + np.copysign(np.float32(0.5), y)).astype(np.int8)
    out = np.zeros((len(x), 34), np.uint8)
    out[:, :2] = scale.astype("<f2").view(np.uint8).reshape(-1, 2)
    out[:, 2:] = q.view(np.uint8)
    return out.tobytes()


def tensors(z, c):
    """(GGUF name, float32 array) in file order; the output matrix is the embedding and is not written twice."""
    yield "token_embd.weight", z["embed.weight"]
    yield "output_norm.weight", z["norm.weight"]
    names = {
        "attn_norm": "attn_norm", "attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "o", "ffn_norm": "ffn_norm",
        "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
    }
    for i in range(c["L"]):
        for gguf, mine in names.items():
            a = z[f"layers.{i}.{mine}.weight"]
            if gguf == "attn_q":
                a = interleave(a, c["H"])
            if gguf == "attn_k":
                a = interleave(a, c["K"])
            yield f"blk.{i}.{gguf}.weight", a


def metadata(w, c, size, file_type, sp):
    w.add("general.architecture", "llama")
    w.add("general.type", "model")
    w.add("general.name", f"Weft Stories {size / 1e6:.0f}M")
    w.add("general.author", "Weft authors")
    w.add("general.description", DESCRIPTION)
    w.add("general.license", "MIT")
    w.add("general.size_label", f"{size / 1e6:.1f}M")
    w.add("general.languages", ["en"])
    w.add("general.file_type", file_type)
    w.add("general.quantization_version", 2)
    w.add("llama.vocab_size", c["V"])
    w.add("llama.context_length", c["context"])
    w.add("llama.embedding_length", c["C"])
    w.add("llama.block_count", c["L"])
    w.add("llama.feed_forward_length", c["F"])
    w.add("llama.attention.head_count", c["H"])
    w.add("llama.attention.head_count_kv", c["K"])
    w.add("llama.attention.layer_norm_rms_epsilon", c["eps"])
    w.add("llama.rope.dimension_count", c["C"] // c["H"])
    w.add("llama.rope.freq_base", c["base"])
    n = sp.get_piece_size()
    kinds = [
        UNKNOWN if sp.is_unknown(i) else CONTROL if sp.is_control(i) else BYTE if sp.is_byte(i) else NORMAL for i in range(n)
    ]
    w.add("tokenizer.ggml.model", "llama")
    w.add("tokenizer.ggml.pre", "default")
    w.add("tokenizer.ggml.tokens", [sp.id_to_piece(i) for i in range(n)])
    w.add("tokenizer.ggml.scores", [float(sp.get_score(i)) for i in range(n)])
    w.add("tokenizer.ggml.token_type", kinds, signed=True)
    w.add("tokenizer.ggml.bos_token_id", sp.bos_id())
    w.add("tokenizer.ggml.eos_token_id", sp.eos_id())
    w.add("tokenizer.ggml.unknown_token_id", sp.unk_id())
    w.add("tokenizer.ggml.add_bos_token", True)
    w.add("tokenizer.ggml.add_eos_token", False)
    w.add("tokenizer.ggml.add_space_prefix", True)
    w.add("tokenizer.chat_template", (HERE / "chat_template.jinja").read_text().rstrip("\n"))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--checkpoint", required=True)
    args.add_argument("--tokenizer", required=True)
    args.add_argument("--q8", required=True)
    args.add_argument("--f32", required=True)
    args = args.parse_args()
    z = np.load(args.checkpoint)
    c = json.loads(str(z["config"]))
    sp = sentencepiece.SentencePieceProcessor(args.tokenizer)
    all_tensors = [(n, a.astype(np.float32)) for n, a in tensors(z, c)]
    size = sum(a.size for _, a in all_tensors)
    for path, quantise, file_type in ((args.f32, False, 0), (args.q8, True, 7)):
        w = GgufWriter()
        metadata(w, c, size, file_type, sp)
        for name, a in all_tensors:
            if quantise and a.ndim == 2:
                w.add_tensor(name, a.shape, Q8_0, q8_0(a))
            else:
                w.add_tensor(name, a.shape, F32, np.ascontiguousarray(a).tobytes())
        w.write(path)
        print(f"{path}: {size} parameters, {Path(path).stat().st_size} bytes")


if __name__ == "__main__":
    main()
