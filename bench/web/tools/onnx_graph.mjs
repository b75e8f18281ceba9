// An ONNX graph under construction. Small constants stand in the file; weights go to the external data file beside it, in
// the order of creation. Field numbers: onnx.proto of the ONNX project, IR version 10.
import { encode } from "./protobuf.mjs";

export const types = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, f16: 10 };
const widths = { f32: 4, u8: 1, i8: 1, i32: 4, i64: 8, f16: 2 };

export class Graph {
  #nodes = [];
  #initializers = [];
  #inputs = [];
  #outputs = [];
  #names = 0;
  #offset = 0;

  // data(bytes, fill): called for every external tensor in file order. dataName: the name of that file.
  constructor(data, dataName) {
    this.data = data;
    this.dataName = dataName;
  }

  name(hint) {
    return `${hint}_${this.#names++}`;
  }

  static #value(name, type, shape) {
    const dims = shape.map((d) => [1, "message", [typeof d === "number" ? [1, "int", d] : [2, "text", d]]]);
    return [[1, "text", name], [2, "message", [[1, "message", [[1, "int", types[type]], [2, "message", dims]]]]]];
  }

  input(name, type, shape) {
    this.#inputs.push(Graph.#value(name, type, shape));
    return name;
  }

  output(name, type, shape) {
    this.#outputs.push(Graph.#value(name, type, shape));
  }

  // A node with one output, whose name is returned, or with those named in `outputs`.
  node(op, inputs, { domain = "", outputs = [this.name(op)], ...attributes } = {}) {
    const listed = Object.entries(attributes).map(([name, value]) => {
      const [field, kind, type] = typeof value === "string" ? [4, "text", 3]
        : typeof value === "object" ? [2, "float", 1] : [3, "int", 2];
      return [5, "message", [[1, "text", name], [field, kind, typeof value === "object" ? value.float : value], [20, "int", type]]];
    });
    this.#nodes.push([...inputs.map((i) => [1, "text", i]), ...outputs.map((o) => [2, "text", o]), [3, "text", this.name(op)],
      [4, "text", op], ...listed, [7, "text", domain]]);
    return outputs[0];
  }

  // A constant that stands in the file: `values` as bytes.
  constant(type, shape, values) {
    const name = this.name("constant");
    this.#initializers.push([[1, "ints", shape], [2, "int", types[type]], [8, "text", name],
      [9, "bytes", Buffer.from(values.buffer, values.byteOffset, values.byteLength)]]);
    return name;
  }

  ints(...values) {
    return this.constant("i64", [values.length], BigInt64Array.from(values, BigInt));
  }

  // A weight in the data file, filled as `fill` says.
  weight(hint, type, shape, fill) {
    const name = this.name(hint);
    const bytes = shape.reduce((a, b) => a * b, 1) * widths[type];
    this.data(bytes, fill);
    const entry = (key, value) => [13, "message", [[1, "text", key], [2, "text", String(value)]]];
    this.#initializers.push([[1, "ints", shape], [2, "int", types[type]], [8, "text", name],
      entry("location", this.dataName), entry("offset", this.#offset), entry("length", bytes), [14, "int", 1]]);
    this.#offset += bytes;
    return name;
  }

  bytes() {
    const graph = [...this.#nodes.map((n) => [1, "message", n]), [2, "text", "decoder"],
      ...this.#initializers.map((t) => [5, "message", t]), ...this.#inputs.map((v) => [11, "message", v]),
      ...this.#outputs.map((v) => [12, "message", v])];
    return encode([[1, "int", 10], [2, "text", "weft bench"], [7, "message", graph],
      [8, "message", [[1, "text", ""], [2, "int", 21]]], [8, "message", [[1, "text", "com.microsoft"], [2, "int", 1]]]]);
  }
}
