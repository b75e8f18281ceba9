// The module with a GPU, as the engine's worker makes it, without the worker.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { ImportFunctions } from "../../src/core/abi.js";
import { GpuHost } from "../../src/core/gpu.js";
import { Core } from "../../src/core/module.js";
import { SourceTable } from "../../src/core/source_table.js";
import { MemorySource } from "../../src/sources/source.js";

export const root = resolve(import.meta.dirname, "../../../..");

// Which build of it: "wasm", or "wasm-threads" over shared memory.
export type Build = "wasm" | "wasm-threads";
const wasmFile = (build: Build) => resolve(root, "build", build, "host/web/weft.wasm");
export const isBuilt = (build: Build): boolean => existsSync(wasmFile(build));

export interface TestCore {
  core: Core;
  add(file: string): string; // a source from a file of the project, by its path
}

// `watch` sees the imports of the GPU, and may wrap them.
export async function makeCore(
  gpu: GPU | undefined,
  build: Build = "wasm",
  watch: (imports: ImportFunctions) => void = () => undefined,
): Promise<TestCore> {
  const sources = new SourceTable();
  const shared = build === "wasm-threads";
  const core = await Core.create({
    module: await WebAssembly.compile(readFileSync(wasmFile(build))),
    memory: shared ? new WebAssembly.Memory({ initial: 512, maximum: 65536, shared }) : undefined,
    sources,
    gpu: (memory) => {
      const imports = new GpuHost(gpu, memory).imports();
      watch(imports);
      return imports;
    },
    onLog: () => undefined,
    soon: (callback) => void setImmediate(callback),
  });
  const add = (file: string): string => {
    sources.add(new MemorySource(file, new Uint8Array(readFileSync(resolve(root, file)))));
    return file;
  };
  return { core, add };
}

// Loads the file and opens a session.
export async function openModel({ core, add }: TestCore, file: string, options: object): Promise<number> {
  const { model } = await core.call<{ model: number }>("load", { source: add(file), options });
  const { session } = await core.call<{ session: number }>("open", { model });
  return session;
}
