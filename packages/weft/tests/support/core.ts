// The module with a GPU, as the worker makes it, without the worker.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { GpuHost } from "../../src/core/gpu.js";
import { Core } from "../../src/core/module.js";
import { SourceTable } from "../../src/core/source_table.js";
import { MemorySource } from "../../src/sources/source.js";

export const root = resolve(import.meta.dirname, "../../../..");
export const wasmFile = process.env["WEFT_TEST_WASM"] ?? resolve(root, "build/wasm/host/web/weft.wasm");

// GPU is the object that adapters come from; its imports can be looked at through `watch`.
export async function makeCore(
  gpu: GPU | undefined,
  watch: (imports: Record<string, (...values: number[]) => number | void>) => void = () => {},
): Promise<{ core: Core; sources: SourceTable; add(file: string): string; log: string[] }> {
  const sources = new SourceTable();
  const log: string[] = [];
  const core = await Core.create({
    module: await WebAssembly.compile(readFileSync(wasmFile)),
    sources,
    gpu: (memory) => {
      const imports = new GpuHost(gpu, memory).imports();
      watch(imports);
      return imports;
    },
    onLog: (_level, text) => log.push(text),
    soon: (callback) => void setImmediate(callback),
  });
  const add = (file: string): string => {
    sources.add(new MemorySource(file, new Uint8Array(readFileSync(resolve(root, file)))));
    return file;
  };
  return { core, sources, add, log };
}
