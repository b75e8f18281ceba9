#!/usr/bin/env node
// A decoder of a known shape with random weights as ONNX, in the form transformers.js loads: what `weft synth` is for GGUF.
//
//     node bench/web/tools/onnx_model.mjs smollm2-135m FOLDER q8|q4|q4f16
//
// q8: DynamicQuantizeLinear and MatMulInteger (dynamic int8, one scale a column). q4, q4f16: MatMulNBits (blocks of 32,
// accuracy level 4) with float32 or float16 activations. All: GroupQueryAttention with rotation inside, one matrix for
// query, key and value, fused norms, and logits of the last token only: as fast as this peer's files can be made.
import { randomFillSync } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Graph } from "./onnx_graph.mjs";

export const shapes = {
  "tiny": { width: 256, ffn: 512, heads: 4, kvHeads: 2, headDim: 64, layers: 2, vocabulary: 1024, base: 10000, context: 512 },
  "smollm2-135m": { width: 576, ffn: 1536, heads: 9, kvHeads: 3, headDim: 64, layers: 30, vocabulary: 49152, base: 100000, context: 2048 },
  "llama-3.2-1b": { width: 2048, ffn: 8192, heads: 32, kvHeads: 8, headDim: 64, layers: 16, vocabulary: 128256, base: 500000, context: 2048 },
};
export const files = { q8: "model_quantized.onnx", q4: "model_q4.onnx", q4f16: "model_q4f16.onnx" };

const block = 32;

// Half-precision bits of a positive number within the format's normal range.
function halfBits(value) {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  return ((bits >>> 13) & 0x3ff) | ((((bits >>> 23) & 255) - 112) << 10);
}

function floats(kind, values) {
  return kind === "f32" ? Float32Array.from(values) : Uint16Array.from(values, (v) => {
    if (Math.abs(v) < 2 ** -14) return 0;
    return halfBits(Math.abs(v)) | (v < 0 ? 0x8000 : 0);
  });
}

class Decoder {
  constructor(shape, format, graph) {
    this.s = shape;
    this.g = graph;
    this.quantised = format !== "q8";
    this.float = format === "q4f16" ? "f16" : "f32";
  }

  number(value) {
    return this.g.constant(this.float, [], floats(this.float, [value]));
  }

  // [.., columns] → [.., rows] by a random matrix of standard deviation ~0.02.
  linear(x, rows, columns) {
    const { g } = this;
    if (this.quantised) {
      const blocks = columns / block;
      const data = g.weight("matrix", "u8", [rows, blocks, block / 2], "random");
      const scales = g.weight("scales", this.float, [rows * blocks], this.scaleFill(0.02 / 4.6));
      return g.node("MatMulNBits", [x, data, scales],
        { domain: "com.microsoft", K: columns, N: rows, bits: 4, block_size: block, accuracy_level: 4 });
    }
    const data = g.weight("matrix", "i8", [columns, rows], "random");
    const scales = g.weight("scales", "f32", [rows], this.scaleFill(0.02 / 74));
    const { q, scale, zero } = this.rounded(x);
    const sum = g.node("MatMulInteger", [q, data, zero, g.constant("i8", [rows], new Int8Array(rows))]);
    return g.node("Mul", [g.node("Cast", [sum], { to: 1 }), g.node("Mul", [scale, scales])]);
  }

  // Rounded once for all matrices that read the row.
  rounded(x) {
    if (this.last?.x !== x) {
      const [q, scale, zero] = ["rounded", "scale", "zero"].map((n) => this.g.name(n));
      this.g.node("DynamicQuantizeLinear", [x], { outputs: [q, scale, zero] });
      this.last = { x, q, scale, zero };
    }
    return this.last;
  }

  scaleFill(value) {
    return floats(this.float, [value]);
  }

  norm() {
    return this.g.weight("norm", this.float, [this.s.width], floats(this.float, [1]));
  }

  embedding(ids) {
    const { g, s } = this;
    if (this.quantised) {
      const data = g.weight("embedding", "u8", [s.vocabulary, s.width / 2], "random");
      const scales = g.weight("scales", this.float, [s.vocabulary, s.width / block], this.scaleFill(0.02 / 4.6));
      return g.node("GatherBlockQuantized", [data, ids, scales],
        { domain: "com.microsoft", bits: 4, block_size: block, gather_axis: 0, quantize_axis: 1 });
    }
    const data = g.weight("embedding", "i8", [s.vocabulary, s.width], "random");
    const rows = g.node("Gather", [data, ids]);
    return g.node("DequantizeLinear", [rows, this.number(0.02 / 74), g.constant("i8", [], new Int8Array(1))]);
  }

  rotation() {
    const { s, g } = this, half = s.headDim / 2, cos = [], sin = [];
    for (let t = 0; t < s.context; ++t)
      for (let i = 0; i < half; ++i) {
        const angle = t * s.base ** (-2 * i / s.headDim);
        cos.push(Math.cos(angle));
        sin.push(Math.sin(angle));
      }
    return [cos, sin].map((table) => g.weight("rotation", this.float, [s.context, half], floats(this.float, table)));
  }

  attention(x, layer, common) {
    const { s, g } = this, cache = ["batch_size", s.kvHeads, "past_sequence_length", s.headDim];
    const past = ["key", "value"].map((n) => g.input(`past_key_values.${layer}.${n}`, this.float, cache));
    const present = ["key", "value"].map((n) => `present.${layer}.${n}`);
    for (const name of present) g.output(name, this.float, [...cache.slice(0, 2), "total_sequence_length", s.headDim]);
    const qkv = this.linear(x, (s.heads + 2 * s.kvHeads) * s.headDim, s.width);
    const mixed = g.node("GroupQueryAttention", [qkv, "", "", ...past, ...common], {
      domain: "com.microsoft", outputs: [g.name("attention"), ...present], num_heads: s.heads, kv_num_heads: s.kvHeads,
      do_rotary: 1, rotary_interleaved: 0, scale: { float: 1 / Math.sqrt(s.headDim) },
    });
    return this.linear(mixed, s.width, s.heads * s.headDim);
  }

  feedForward(x) {
    const { s, g } = this;
    const gate = this.linear(x, s.ffn, s.width), up = this.linear(x, s.ffn, s.width);
    const silu = g.node("Mul", [gate, g.node("Sigmoid", [gate])]);
    return this.linear(g.node("Mul", [silu, up]), s.width, s.ffn);
  }

  // Adds to the residual and normalises: [normalised, sum].
  addNorm(x, residual) {
    const { g } = this, outputs = [g.name("normal"), "", "", g.name("residual")];
    g.node("SkipSimplifiedLayerNormalization", [x, residual, this.norm()],
      { domain: "com.microsoft", outputs, epsilon: { float: 1e-5 } });
    return [outputs[0], outputs[3]];
  }

  build() {
    const { s, g } = this;
    const ids = g.input("input_ids", "i64", ["batch_size", "sequence_length"]);
    const mask = g.input("attention_mask", "i64", ["batch_size", "total_sequence_length"]);
    const keep = g.input("num_logits_to_keep", "i64", []);
    const seen = g.node("Sub", [g.node("ReduceSum", [mask, g.ints(1)], { keepdims: 0 }), g.ints(1)]);
    const total = g.node("Gather", [g.node("Shape", [mask]), g.constant("i64", [], BigInt64Array.of(1n))]);
    const common = [g.node("Cast", [seen], { to: 6 }), g.node("Cast", [total], { to: 6 }), ...this.rotation()];
    let residual = this.embedding(ids);
    let x = g.node("SimplifiedLayerNormalization", [residual, this.norm()], { axis: -1, epsilon: { float: 1e-5 }, stash_type: 1 });
    for (let layer = 0; layer < s.layers; ++layer) {
      [x, residual] = this.addNorm(this.attention(x, layer, common), residual);
      [x, residual] = this.addNorm(this.feedForward(x), residual);
    }
    const first = g.node("Reshape", [g.node("Neg", [keep]), g.ints(1)]);
    x = g.node("Slice", [x, first, g.ints(2n ** 62n), g.ints(1)]);
    let logits = this.linear(x, s.vocabulary, s.width);
    if (this.float === "f16") logits = g.node("Cast", [logits], { to: 1 });
    g.node("Identity", [logits], { outputs: ["logits"] });
    g.output("logits", "f32", ["batch_size", "kept", s.vocabulary]);
  }
}

// Writes weights as they come: random bytes, or a pattern repeated.
function dataWriter(file) {
  const random = randomFillSync(Buffer.alloc(1 << 22));
  return (bytes, fill) => {
    const pattern = fill === "random" ? random : Buffer.from(fill.buffer, fill.byteOffset, fill.byteLength);
    const chunk = fill === "random" || pattern.length === bytes ? pattern : Buffer.alloc(Math.min(bytes, 1 << 20), pattern);
    for (let done = 0; done < bytes;) done += writeSync(file, chunk, 0, Math.min(chunk.length, bytes - done));
  };
}

export function writeModel(shapeName, folder, format) {
  const shape = shapes[shapeName];
  if (!shape || !files[format]) throw new Error(`no shape '${shapeName}' (${Object.keys(shapes)}) or format '${format}' (${Object.keys(files)})`);
  mkdirSync(join(folder, "onnx"), { recursive: true });
  const name = files[format], data = openSync(join(folder, "onnx", `${name}_data`), "w");
  const graph = new Graph(dataWriter(data), `${name}_data`);
  new Decoder(shape, format, graph).build();
  closeSync(data);
  writeFileSync(join(folder, "onnx", name), graph.bytes());
  const config = {
    model_type: "llama", architectures: ["LlamaForCausalLM"], hidden_size: shape.width, intermediate_size: shape.ffn,
    num_attention_heads: shape.heads, num_key_value_heads: shape.kvHeads, head_dim: shape.headDim,
    num_hidden_layers: shape.layers, vocab_size: shape.vocabulary, max_position_embeddings: shape.context,
    rms_norm_eps: 1e-5, rope_theta: shape.base, tie_word_embeddings: true, hidden_act: "silu",
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
  writeFileSync(join(folder, "generation_config.json"), "{}\n");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [shape, folder, format] = process.argv.slice(2);
  if (!folder) {
    console.error("usage: onnx_model.mjs SHAPE FOLDER q8|q4|q4f16");
    process.exit(2);
  }
  writeModel(shape, folder, format ?? "q8");
}
