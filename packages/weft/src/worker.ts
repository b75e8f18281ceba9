// The engine's worker in a browser.
import type { PageService } from "./protocol.js";
import { browserPort, connect, type Connection, type DedicatedWorkerGlobalScopeLike } from "./rpc.js";
import type { Platform } from "./server/platform.js";
import { EngineServer } from "./server/server.js";

const turns = new MessageChannel();
const waiting: (() => void)[] = [];
turns.port1.onmessage = () => waiting.shift()?.();

const platform: Platform = {
  async compile(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    // Servers that do not know the type of .wasm files are common.
    if (response.headers.get("content-type")?.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
    return WebAssembly.compile(await response.arrayBuffer());
  },
  soon(callback) {
    // Timers wait 4 ms when they follow each other.
    waiting.push(callback);
    turns.port2.postMessage(0);
  },
  cores: () => navigator.hardwareConcurrency || 1,
  notIsolated() {
    if (globalThis.crossOriginIsolated && typeof SharedArrayBuffer === "function") return undefined;
    return "more need a page that is cross-origin isolated (headers COOP and COEP), and this one is not";
  },
  async gpu() {
    if (navigator.gpu) return { gpu: navigator.gpu };
    if (!globalThis.isSecureContext) return { reason: "WebGPU needs a secure page (https or localhost)" };
    return { reason: "this browser has no WebGPU (navigator.gpu is undefined)" };
  },
  machineMemory() {
    // In powers of two, and 8 means "8 or more": it tells of small machines only.
    const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory;
    return gigabytes !== undefined && gigabytes < 8 ? gigabytes * 2 ** 30 : undefined;
  },
};

const line: Connection<PageService> = connect<PageService>(
  browserPort(globalThis as unknown as DedicatedWorkerGlobalScopeLike),
  new EngineServer(platform, () => line.remote),
);
