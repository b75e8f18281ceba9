// The few words of protobuf's wire format that an ONNX file needs: https://protobuf.dev/programming-guides/encoding.
// A message is an array of [field, kind, value]; kinds: "int", "float", "text", "bytes", "message", "ints" (packed).

function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function sized(field, body) {
  return [varint((field << 3) | 2), varint(body.length), body];
}

export function encode(fields) {
  const parts = fields.flatMap(([field, kind, value]) => {
    switch (kind) {
      case "int": return [varint(field << 3), varint(value)];
      case "float": {
        const body = Buffer.alloc(4);
        body.writeFloatLE(value);
        return [varint((field << 3) | 5), body];
      }
      case "text": return sized(field, Buffer.from(value));
      case "bytes": return sized(field, value);
      case "ints": return sized(field, Buffer.concat(value.map(varint)));
      case "message": return sized(field, encode(value));
      default: throw new Error(`no kind of field '${kind}'`);
    }
  });
  return Buffer.concat(parts);
}
