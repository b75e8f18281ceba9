// What the imports of the WASM module need of it: module.ts gives this to each group of imports (GpuHost and others).
// Addresses are bytes in the module's memory.
import type { WeftErrorCode } from "../errors.js";

export interface CoreMemory {
  // The whole memory. The same object until the memory grows: take it afresh after every call into the module.
  bytes(): Uint8Array;
  words(): Uint32Array;
  // UTF-8 at an address, also of shared memory.
  text(address: number, length: number): string;
  // Ends an operation: text is the answer, or what was found if the code is not "ok". Numbers not under way are ignored.
  settle(operation: number, code: "ok" | WeftErrorCode, text?: string): void;
  // weft_gpu_trouble: an error that no call could return, or the loss of the device ("device-lost").
  trouble(gpu: number, code: WeftErrorCode, text: string): void;
}

// The functions that a group gives the module, by import name.
export type ImportFunctions = Record<string, (...values: number[]) => number | void>;
