// The engine's worker in Node.
import { readFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { parentPort } from "node:worker_threads";
import type { PageService } from "./protocol.js";
import { connect, type Connection, type Port } from "./rpc.js";
import type { Platform } from "./server/platform.js";
import { EngineServer } from "./server/server.js";

const platform: Platform = {
  async compile(url) {
    const bytes = url.startsWith("file:") ? await readFile(new URL(url)) : await (await fetch(url)).arrayBuffer();
    return WebAssembly.compile(bytes);
  },
  soon: (callback) => void setImmediate(callback),
  cores: () => availableParallelism(),
  notIsolated: () => undefined,
  async gpu() {
    let webgpu: typeof import("webgpu");
    try {
      webgpu = await import("webgpu");
    } catch (e) {
      const missing = (e as { code?: string }).code === "ERR_MODULE_NOT_FOUND";
      return { reason: missing ? "WebGPU needs the package webgpu (npm i webgpu)" : `the package webgpu does not load: ${String(e)}` };
    }
    Object.assign(globalThis, webgpu.globals);
    return { gpu: webgpu.create([]) };
  },
  machineMemory: () => totalmem(),
};

const here = parentPort!;
const port: Port = {
  post: (message, transfer) => here.postMessage(message, transfer as never),
  listen: (onMessage) => void here.on("message", onMessage),
};
const line: Connection<PageService> = connect<PageService>(port, new EngineServer(platform, () => line.remote));
