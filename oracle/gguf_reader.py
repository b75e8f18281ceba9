"""Reads GGUF and safetensors files with the standard library alone, refusing whatever a strict reader should refuse.

Written apart from gguf_writer.py and sharing no table with it, so that one can judge the other.
"""

import array
import json
import struct
from dataclasses import dataclass

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# ggml type: name, values in a block, bytes in a block
TYPES = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 8: ("Q8_0", 32, 34)}


class BadFile(Exception):
    pass


@dataclass
class Tensor:
    name: str
    shape: list  # PyTorch order
    type: str
    offset: int  # of its first byte, from the start of the file
    bytes: int


class Gguf:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.raw = f.read()
        self.at = 0
        if self.raw[:4] != b"GGUF":
            raise BadFile("no GGUF magic")
        self.at = 4
        self.version, count, keys = self._take("I"), self._take("Q"), self._take("Q")
        if self.version != 3:
            raise BadFile(f"version {self.version}")
        self.metadata, self.kinds = {}, {}
        for _ in range(keys):
            key = self._string().decode("ascii")
            if key in self.metadata:
                raise BadFile(f"{key} occurs twice")
            kind = self._take("I")
            self.kinds[key] = kind
            self.metadata[key] = self._value(kind)
        self.alignment = self.metadata.get("general.alignment", 32)
        described = []
        for _ in range(count):
            name = self._string().decode("ascii")
            dims = [self._take("Q") for _ in range(self._take("I"))]
            described.append((name, dims, self._take("I"), self._take("Q")))
        start = -(-self.at // self.alignment) * self.alignment
        if any(self.raw[self.at:start]):
            raise BadFile("padding after the header is not zero")
        self.tensors, end = {}, start
        for name, dims, kind, offset in described:
            if name in self.tensors:
                raise BadFile(f"{name} occurs twice")
            type_name, per_block, block_bytes = TYPES[kind]
            values = 1
            for n in dims:
                values *= n
            if dims[0] % per_block:
                raise BadFile(f"{name}: rows do not fill blocks")
            size = values // per_block * block_bytes
            if offset % self.alignment:
                raise BadFile(f"{name}: offset {offset} is not aligned")
            if start + offset < end or start + offset - end >= self.alignment:
                raise BadFile(f"{name}: overlaps its predecessor or leaves a hole")
            end = start + offset + size
            if end > len(self.raw):
                raise BadFile(f"{name}: ends after the file")
            self.tensors[name] = Tensor(name, dims[::-1], type_name, start + offset, size)
        if len(self.raw) - end >= self.alignment or any(self.raw[end:]):
            raise BadFile(f"{len(self.raw) - end} bytes after the last tensor")

    def _take(self, code):
        size = struct.calcsize("<" + code)
        if self.at + size > len(self.raw):
            raise BadFile("the header ends early")
        value = struct.unpack_from("<" + code, self.raw, self.at)[0]
        self.at += size
        return value

    def _string(self):
        n = self._take("Q")
        if self.at + n > len(self.raw):
            raise BadFile("a string ends after the file")
        self.at += n
        return self.raw[self.at - n:self.at]

    def _value(self, kind):
        if kind == 8:
            return self._string().decode("utf-8")
        if kind == 9:
            inner, n = self._take("I"), self._take("Q")
            return [self._value(inner) for _ in range(n)]
        return self._take(_SCALARS[kind])

    def bytes(self, name):
        t = self.tensors[name]
        return self.raw[t.offset:t.offset + t.bytes]

    def floats(self, name):
        """All values, row-major, as Python's array of float32."""
        t, raw = self.tensors[name], self.bytes(name)
        if t.type == "F32":
            return array.array("f", raw)
        if t.type == "F16":
            return array.array("f", struct.unpack(f"<{len(raw) // 2}e", raw))
        out = array.array("f")
        for block in range(0, len(raw), 34):
            scale = struct.unpack_from("<e", raw, block)[0]
            out.extend(scale * q for q in struct.unpack_from("<32b", raw, block + 2))
        return out


class Safetensors:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.raw = f.read()
        n = struct.unpack_from("<Q", self.raw)[0]
        self.header = json.loads(self.raw[8:8 + n])
        self.metadata = self.header.pop("__metadata__", {})
        self.start = 8 + n
        end = 0
        for name, t in sorted(self.header.items(), key=lambda kv: kv[1]["data_offsets"]):
            size = {"F32": 4, "I32": 4}[t["dtype"]]
            for k in t["shape"]:
                size *= k
            if t["data_offsets"] != [end, end + size]:
                raise BadFile(f"{name}: {t['data_offsets']}, expected {[end, end + size]}")
            end += size
        if self.start + end != len(self.raw):
            raise BadFile("the file is not as long as its tensors")

    def values(self, name):
        t = self.header[name]
        a, b = t["data_offsets"]
        return array.array({"F32": "f", "I32": "i"}[t["dtype"]], self.raw[self.start + a:self.start + b])
