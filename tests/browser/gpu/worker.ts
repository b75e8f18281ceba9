// In a worker of the page: the module on navigator.gpu. Answers {id, result | error} to {id, call, values}.
import { GpuHost } from "../../../packages/weft/src/core/gpu.js";
import { Core } from "../../../packages/weft/src/core/module.js";
import { SourceTable } from "../../../packages/weft/src/core/source_table.js";
import { WeftError } from "../../../packages/weft/src/errors.js";
import { MemorySource } from "../../../packages/weft/src/sources/source.js";

interface Spent {
  calls: number;
  ms: number;
}
const spent: Record<string, Spent> = {};
const devices: GPUDevice[] = [];
const sources = new SourceTable();
let core: Core;
let session = 0;

// The time inside each import of the GPU.
function timed(imports: Record<string, (...values: number[]) => number | void>): typeof imports {
  for (const [name, f] of Object.entries(imports)) {
    const entry = (spent[name] = { calls: 0, ms: 0 });
    imports[name] = (...values) => {
      const begin = performance.now();
      const out = f(...values);
      entry.ms += performance.now() - begin;
      entry.calls += 1;
      return out;
    };
  }
  return imports;
}

const calls: Record<string, (...values: never[]) => unknown> = {
  async start(wasm: string, shared: boolean) {
    const make = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, descriptor) {
      const device = await make.call(this, descriptor);
      devices.push(device);
      return device;
    };
    const channel = new MessageChannel();
    const turns: (() => void)[] = [];
    channel.port1.onmessage = () => turns.shift()?.();
    core = await Core.create({
      module: await WebAssembly.compileStreaming(fetch(wasm)),
      memory: shared ? new WebAssembly.Memory({ initial: 512, maximum: 65536, shared }) : undefined,
      sources,
      gpu: (memory) => timed(new GpuHost(navigator.gpu, memory).imports()),
      onLog: () => undefined,
      soon: (callback) => (turns.push(callback), channel.port2.postMessage(0)),
    });
    return core.call("devices");
  },
  async load(url: string, options: object) {
    const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
    sources.add(new MemorySource(url, bytes));
    const { model } = await core.call<{ model: number }>("load", { source: url, options });
    ({ session } = await core.call<{ session: number }>("open", { model }));
  },
  async generate(options: object, loseAfter: number) {
    for (const entry of Object.values(spent)) entry.calls = entry.ms = 0;
    let events = 0;
    const onEvent = () => {
      if (++events === loseAfter) devices.at(-1)!.destroy();
    };
    const out = await core.call<object>("generate", { session, text: "Once upon a time", options }, { onEvent });
    return { ...out, spent };
  },
  // What a worker of this browser says of writeBuffer from shared memory.
  async shared() {
    const device = devices.at(-1)!;
    const buffer = device.createBuffer({ size: 64, usage: GPUBufferUsage.COPY_DST });
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    device.queue.writeBuffer(buffer, 0, memory.buffer as unknown as ArrayBuffer, 16, 64);
    return true;
  },
};

onmessage = async ({ data: { id, call, values } }: MessageEvent<{ id: number; call: string; values: never[] }>) => {
  try {
    postMessage({ id, result: await calls[call]!(...values) });
  } catch (e) {
    postMessage({ id, error: WeftError.is(e) ? { code: e.code, message: e.message } : { code: "", message: String(e) } });
  }
};
