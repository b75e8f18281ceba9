// Stands for the WASM module before GpuHost: a memory, the ends of operations, what trouble was told.
import type { CoreMemory, ImportFunctions } from "../../src/core/abi.js";
import { GpuHost } from "../../src/core/gpu.js";

export interface Ended {
  code: string;
  text: string;
}

export class FakeModule implements CoreMemory {
  readonly troubles: Ended[] = [];
  readonly imports: ImportFunctions;
  private readonly memory: WebAssembly.Memory;
  private readonly waiting = new Map<number, (ended: Ended) => void>();
  private last = 0;
  private used = 1024;

  constructor(gpu: GPU | undefined, shared = false) {
    this.memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared });
    this.imports = new GpuHost(gpu, this).imports();
  }
  bytes = (): Uint8Array => new Uint8Array(this.memory.buffer);
  words = (): Uint32Array => new Uint32Array(this.memory.buffer);
  text = (address: number, length: number): string =>
    new TextDecoder().decode(this.bytes().slice(address, address + length));
  settle(operation: number, code: string, text = ""): void {
    this.waiting.get(operation)?.({ code, text });
    this.waiting.delete(operation);
  }
  trouble(_gpu: number, code: string, text: string): void {
    this.troubles.push({ code, text });
  }

  // Calls import `name` with an operation at place `at` of its values.
  ended(name: string, at: number, ...values: number[]): Promise<Ended> {
    const operation = ++this.last;
    return new Promise((resolve) => {
      this.waiting.set(operation, resolve);
      values.splice(at, 0, operation);
      if (this.imports[name]!(...values) === 1) this.settle(operation, "ok");
    });
  }
  call(name: string, ...values: number[]): number {
    return this.imports[name]!(...values) as number;
  }
  put(data: string | ArrayLike<number>): [address: number, length: number] {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(Uint32Array.from(data).buffer);
    const address = this.used;
    this.bytes().set(bytes, address);
    this.used += Math.ceil(bytes.length / 16) * 16 + 16;
    return [address, typeof data === "string" ? bytes.length : data.length];
  }

  // Opens the first adapter with the least that WebGPU grants, and timestamps, as GPU 1.
  async open(): Promise<void> {
    await this.ended("gpu_adapters", 0);
    const wishes = { features: ["timestamp-query"], limits: { maxBufferSize: 1 << 30 } };
    const { code, text } = await this.ended("gpu_open", 0, 1, 0, ...this.put(JSON.stringify(wishes)));
    if (code !== "ok") throw new Error(text);
  }
  buffer(handle: number, bytes: number): Promise<Ended> {
    return this.ended("gpu_create_buffer", 1, 1, handle, bytes, ...this.put(`buffer ${handle}`));
  }
  pipeline(handle: number, wgsl: string, bindings: number[]): Promise<Ended> {
    const [at] = this.put(bindings);
    return this.ended("gpu_create_pipeline", 1, 1, handle, ...this.put("kernel"), ...this.put(wgsl), at, bindings.length / 2);
  }
  async read(handle: number, offset: number, bytes: number): Promise<Uint32Array> {
    const out = this.used;
    this.used += bytes;
    this.call("gpu_begin_read", 1, 7, handle, offset, bytes);
    const { code, text } = await this.ended("gpu_await_read", 1, 1, 7);
    if (code !== "ok") throw new Error(`${code}: ${text}`);
    this.call("gpu_take_read", 1, 7, out, bytes);
    return this.words().slice(out / 4, (out + bytes) / 4);
  }
}
