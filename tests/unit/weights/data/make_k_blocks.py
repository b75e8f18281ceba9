#!/usr/bin/env python3
"""Makes the check files of this folder: K-quant blocks that llama.cpp's own encoder wrote from known values, and in
decoded.txt the FNV-1a hash of the f32 values that its own decoder reads from them.

    make_k_blocks.py llama-quantize [arguments before the usual ones …]

The values come from a formula that formats_k_test.cc repeats (exact in float32), so only the blocks are kept: a
[16, 256] tensor a format. The tool is Debian's package llama.cpp-tools (forky).
"""

import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[3] / "oracle"))
from gguf_writer import F32, GgufWriter  # noqa: E402

ROWS, COLUMNS = 16, 256
FORMATS = {"Q2_K": (10, 84), "Q3_K": (11, 110), "Q4_K": (12, 144), "Q5_K": (13, 176), "Q6_K": (14, 210)}


def values():
    """Sums of four 16-bit numbers (bell-shaped) in units of 2^-18; row r is scaled by 2^(r % 4) and moved by r % 3."""
    state, out = 1, []
    for row in range(ROWS):
        for _ in range(COLUMNS):
            total = 0
            for _ in range(4):
                state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
                total += state >> 48
            out.append((total - 131072 + 16384 * (row % 3)) * 2.0**-18 * 2 ** (row % 4))
    return out


def model(path):
    w = GgufWriter()
    w.add("general.architecture", "llama")
    for key, value in {
        "vocab_size": 16, "context_length": 16, "embedding_length": 256, "block_count": 1, "feed_forward_length": 16,
        "attention.head_count": 1, "attention.head_count_kv": 1, "rope.dimension_count": 256,
    }.items():
        w.add("llama." + key, value)
    w.add("llama.attention.layer_norm_rms_epsilon", 1e-5)
    w.add("tokenizer.ggml.model", "none")
    data = struct.pack(f"<{ROWS * COLUMNS}f", *values())
    for name in ("token_embd.weight", "blk.0.ffn_up.weight", "output.weight"):
        w.add_tensor(name, [ROWS, COLUMNS], F32, data)
    w.write(path)


def read_tensor(path, kind, size):
    raw = pathlib.Path(path).read_bytes()
    label = b"blk.0.ffn_up.weight"
    at = raw.index(label) + len(label)
    count, *dims, got, offset = struct.unpack_from("<IQQIQ", raw, at)
    assert (count, dims, got) == (2, [COLUMNS, ROWS], kind), (path, count, dims, got)
    # The data section begins after the last row of the table.
    ends = [raw.index(t) + len(t) + 4 + 16 + 4 + 8 for t in (b"token_embd.weight", label, b"output.weight")]
    begin = -(-max(ends) // 32) * 32 + offset
    return raw[begin : begin + size]


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & (2**64 - 1)
    return h


def main(tool):
    def quantize(*arguments):
        subprocess.run([*tool, *arguments, "1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    decoded = []
    with tempfile.TemporaryDirectory() as temporary:
        source, target, back = (f"{temporary}/{n}.gguf" for n in ("source", "target", "back"))
        model(source)
        for name, (kind, block) in FORMATS.items():
            quantize("--pure", source, target, name)
            (HERE / f"{name.lower()}.bin").write_bytes(read_tensor(target, kind, ROWS * block))
            quantize("--pure", "--allow-requantize", target, back, "F32")
            decoded.append(f"{name.lower()} {fnv1a(read_tensor(back, F32, ROWS * COLUMNS * 4)):016x}\n")
    (HERE / "decoded.txt").write_text("".join(decoded))


if __name__ == "__main__":
    main(sys.argv[1:])
