// Whether a model fits, asked before anything of its weights is read.
import { WeftError } from "../errors.js";
import type { MemoryUse } from "../types.js";

export interface Room {
  kind: "webgpu" | "cpu";
  /** Of the WebAssembly module: the most it may have, and what it has now. */
  wasmLimit: number;
  wasmUsed: number;
  /** Of the machine; undefined if nobody tells. */
  machine: number | undefined;
  /** As asked for; undefined: the default. */
  context: number | undefined;
}

/** The core's own data, its stack and the file's tables, beside what is planned. */
const reserve = 64 << 20;

export function checkFit(file: string, needs: MemoryUse, room: Room): void {
  const total = needs.weights + needs.states + needs.activations;
  const limits: { what: string; bytes: number; left: number }[] = [];
  if (room.kind === "cpu") {
    const left = room.wasmLimit - room.wasmUsed - reserve;
    limits.push({ what: `WebAssembly's ${size(room.wasmLimit)}, of which ${size(room.wasmUsed)} are in use`, bytes: room.wasmLimit, left });
  }
  if (room.machine !== undefined)
    limits.push({ what: `this machine's ${size(room.machine)}`, bytes: room.machine, left: room.machine * 0.9 - room.wasmUsed });
  const worst = limits.sort((a, b) => a.left - b.left)[0];
  if (!worst || total <= worst.left) return;
  const parts = `weights ${size(needs.weights)}, conversations ${size(needs.states)}, working memory ${size(needs.activations)}`;
  throw new WeftError("insufficient-memory",
    `${file}: memory: expected at most ${size(worst.left)} (${worst.what}), found a need of ${size(total)}: ${parts}`,
    { where: file, hint: suggestion(needs, worst.left, room) });
}

function suggestion(needs: MemoryUse, left: number, room: Room): string {
  const forStates = left - needs.weights - needs.activations;
  if (forStates > needs.states / 64) {
    const context = room.context ?? 4096;
    const fits = Math.max(1, Math.floor(((forStates / needs.states) * context) / 64) * 64);
    return room.context === undefined ? `load it with a smaller context, e.g. { context: ${Math.min(fits, 2048)} }`
                                      : `load it with { context: ${fits} } or less`;
  }
  const other = room.kind === "cpu" ? ", or use a GPU" : "";
  return `use a smaller model or one with fewer bits a weight (its weights alone take ${size(needs.weights)})${other}`;
}

export function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  return `${Math.round(Math.max(0, bytes) / 1000)} KB`;
}
