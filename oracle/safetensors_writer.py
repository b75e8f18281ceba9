"""Writes safetensors with tensors in the order given.

The usual library sorts tensors by type and name; the activations of a golden are compared in execution order, so
their file is written in that order, and the order also stands in `__metadata__` for readers whose JSON objects have none.
"""

import json
import struct

_NAMES = {"float32": "F32", "int32": "I32"}


def write(path, tensors, metadata):
    """`tensors`: {name: contiguous numpy array}; `metadata`: {str: str}."""
    header, offset = {"__metadata__": metadata}, 0
    for name, a in tensors.items():
        header[name] = {
            "dtype": _NAMES[str(a.dtype)],
            "shape": list(a.shape),
            "data_offsets": [offset, offset + a.nbytes],
        }
        offset += a.nbytes
    raw = json.dumps(header, separators=(",", ":")).encode("utf-8")
    raw += b" " * (-len(raw) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(raw)) + raw)
        for a in tensors.values():
            f.write(a.tobytes())
