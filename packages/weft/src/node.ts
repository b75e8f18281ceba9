/** The package in Node: the same as in browsers, with worker_threads, paths as models, and WebGPU by the package "webgpu". */
import { Worker } from "node:worker_threads";
import { pathToFileURL } from "node:url";
import { Engine, type Host } from "./engine.js";
import { WeftError } from "./errors.js";
import type { Port } from "./rpc.js";
import type { EngineOptions } from "./types.js";

export { Chat } from "./chat.js";
export { Engine, type Cache } from "./engine.js";
export { WeftError, type WeftErrorCode } from "./errors.js";
export { Generation } from "./generation.js";
export { Model, type ChatFunction } from "./model.js";
export type { Completions, CompletionOptions } from "./openai.js";
export type { EngineMemory } from "./protocol.js";
export type * from "./types.js";

export function createEngine(options: EngineOptions = {}): Promise<Engine> {
  return Engine.create(node, options);
}

/** A program ends when nothing is waited for, also without `engine.dispose()`. */
function portOf(worker: Worker): Port {
  return {
    post: (message, transfer) => worker.postMessage(message, transfer as never),
    listen(onMessage, onEnd) {
      worker.on("message", onMessage);
      worker.on("error", (e) => onEnd(new WeftError("internal", `the engine's worker failed: ${String(e)}`, { cause: e })));
      worker.on("exit", () => onEnd(new WeftError("internal", "the engine's worker ended")));
      worker.unref();
    },
    busy: (waiting) => (waiting ? worker.ref() : worker.unref()),
  };
}

const node: Host = {
  startEngine() {
    const worker = new Worker(new URL("./node_worker.js", import.meta.url));
    return { port: portOf(worker), end: () => void worker.terminate() };
  },
  startThread(start, ready, failed) {
    const worker = new Worker(new URL("./node_thread.js", import.meta.url), { workerData: start });
    worker.on("message", ({ failed: why }: { failed?: string }) => (why === undefined ? ready() : failed(why)));
    worker.on("error", (e) => failed(String(e)));
    worker.unref();  // after its listeners: adding them refers to it again
    return { end: () => void worker.terminate() };
  },
  wasm(base) {
    const here = base === undefined ? new URL("./", import.meta.url) : folderOf(base);
    return { single: new URL("weft.wasm", here).href, threads: new URL("weft.threads.wasm", here).href };
  },
  base: () => "",
};

function folderOf(base: string | URL): URL {
  const text = String(base);
  return /^[a-z][a-z0-9+.-]+:/i.test(text) ? new URL(text.replace(/\/?$/, "/")) : pathToFileURL(`${text}/`);
}

