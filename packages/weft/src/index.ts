/**
 * Language models in the page: WebGPU where the browser has it, the CPU with SIMD and threads where not.
 *
 *     import { createEngine } from "weft";
 *     const engine = await createEngine();
 *     const model = await engine.load("model.gguf");
 *     for await (const part of model.generate("Once upon a time")) console.log(part.text);
 *     await model.dispose();
 */
import { Engine, type Host } from "./engine.js";
import { browserPort } from "./rpc.js";
import type { EngineOptions } from "./types.js";

export { Chat } from "./chat.js";
export { Engine, type Cache } from "./engine.js";
export { WeftError, type WeftErrorCode } from "./errors.js";
export { Generation } from "./generation.js";
export { Model, type ChatFunction } from "./model.js";
export type { Completions, CompletionOptions } from "./openai.js";
export type { EngineMemory } from "./protocol.js";
export type * from "./types.js";

/** Starts the engine in a worker. Rejects with "unsupported" where WebAssembly lacks what it needs. */
export function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return Engine.create(browser, options);
}

// Bundlers know these forms, whole and with literal names: they build the worker and take the files along.
const browser: Host = {
  startEngine() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    return { port: browserPort(worker), end: () => worker.terminate() };
  },
  startThread(start, ready, failed) {
    const worker = new Worker(new URL("./thread.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<{ failed?: string }>) => (data.failed === undefined ? ready() : failed(data.failed)));
    worker.addEventListener("error", (event) => failed(event.message || "its script could not be loaded"));
    worker.postMessage(start);
    return { end: () => worker.terminate() };
  },
  wasm: (base) =>
    base === undefined
      ? { single: new URL("./weft.wasm", import.meta.url).href, threads: new URL("./weft.threads.wasm", import.meta.url).href }
      : inFolder(base, browser.base()),
  base: () => globalThis.document?.baseURI ?? globalThis.location.href,
};

function inFolder(base: string | URL, here: string): { single: string; threads: string } {
  const folder = new URL(String(base).replace(/\/?$/, "/"), here);
  return { single: new URL("weft.wasm", folder).href, threads: new URL("weft.threads.wasm", folder).href };
}
