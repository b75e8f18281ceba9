"""A minimal GGUF version 3 writer: enough to hand Weft a model, and nothing more.

    w = GgufWriter()
    w.add("general.architecture", "llama")
    w.add("llama.block_count", 2)                    # int -> u32, float -> f32, bool, str
    w.add("tokenizer.ggml.scores", [0.0, -1.0])      # list of one of these
    w.add_tensor("token_embd.weight", [V, C], F32, data)   # shape in PyTorch order, bytes row-major
    w.write("model.gguf")

Tensor data is aligned to 32 bytes, the format's default, so `general.alignment` stays unwritten: a reader
that forgets the default fails on these files, which is what they are for.
"""

import struct

MAGIC = 0x46554747
VERSION = 3
ALIGNMENT = 32

F32, F16, Q8_0 = 0, 1, 8
# ggml type -> (values in a block, bytes in a block)
BLOCK = {F32: (1, 4), F16: (1, 2), Q8_0: (32, 34)}

_U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


def _string(s):
    raw = s if isinstance(s, bytes) else s.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _scalar(value):
    """(type id, bytes) of one metadata value. bool before int: True is an int in Python."""
    if isinstance(value, bool):
        return _BOOL, struct.pack("<B", value)
    if isinstance(value, int):
        return (_U32, struct.pack("<I", value)) if value >= 0 else (_I32, struct.pack("<i", value))
    if isinstance(value, float):
        return _F32, struct.pack("<f", value)
    if isinstance(value, (str, bytes)):
        return _STRING, _string(value)
    raise TypeError(f"no GGUF type for {type(value).__name__}")


class GgufWriter:
    def __init__(self):
        self.metadata = []  # (key, type, bytes)
        self.tensors = []  # (name, shape, type, data)

    def add(self, key, value, signed=False):
        """`signed` writes integers as i32, which token types want."""
        if isinstance(value, (list, tuple)):
            if signed:
                kind, items = _I32, [struct.pack("<i", v) for v in value]
            else:
                typed = [_scalar(v) for v in value]
                kinds = {k for k, _ in typed}
                if len(kinds) != 1:
                    raise TypeError(f"{key}: an array holds one type, got {sorted(kinds)}")
                kind, items = kinds.pop(), [b for _, b in typed]
            raw = struct.pack("<IQ", kind, len(items)) + b"".join(items)
            self.metadata.append((key, _ARRAY, raw))
        else:
            kind, raw = _scalar(value)
            self.metadata.append((key, kind, raw))

    def add_tensor(self, name, shape, kind, data):
        per_block, block_bytes = BLOCK[kind]
        count = 1
        for n in shape:
            count *= n
        if shape[-1] % per_block:
            raise ValueError(f"{name}: rows of {shape[-1]} do not fill blocks of {per_block}")
        want = count // per_block * block_bytes
        if len(data) != want:
            raise ValueError(f"{name}: {list(shape)} needs {want} bytes, got {len(data)}")
        self.tensors.append((name, list(shape), kind, bytes(data)))

    def write(self, path):
        names = [t[0] for t in self.tensors]
        if len(set(names)) != len(names):
            raise ValueError("a tensor name occurs twice")
        head = [struct.pack("<IIQQ", MAGIC, VERSION, len(self.tensors), len(self.metadata))]
        for key, kind, raw in self.metadata:
            head.append(_string(key) + struct.pack("<I", kind) + raw)
        offset = 0
        for name, shape, kind, data in self.tensors:
            # GGUF counts dimensions from the fastest: PyTorch's order reversed.
            dims = struct.pack(f"<{len(shape)}Q", *reversed(shape))
            head.append(_string(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, offset))
            offset += -(-len(data) // ALIGNMENT) * ALIGNMENT
        head = b"".join(head)
        with open(path, "wb") as f:
            f.write(head + b"\0" * (-len(head) % ALIGNMENT))
            for _, _, _, data in self.tensors:
                f.write(data + b"\0" * (-len(data) % ALIGNMENT))
