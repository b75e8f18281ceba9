// One GPUDevice for the module: what GpuHost's imports do with it. Things lie in arrays at the place of their handle
// (its low 20 bits); the module checks handles and ranges before it calls.
import type { WeftErrorCode } from "../errors.js";
import type { CoreMemory } from "./abi.js";
import { compile, entriesOf, type Kernel } from "./gpu_kernels.js";
import { GpuQueue, place, type Things } from "./gpu_queue.js";

// The numbers of GPUBufferUsage, which is no global everywhere: STORAGE, UNIFORM, COPY_SRC, COPY_DST.
const bufferUsage = 0x80 | 0x40 | 0x4 | 0x8;

const lossDelay = 2000; // ms

export const textOf = (e: unknown): string =>
  ((e as { message?: string } | null)?.message || String(e)).replace(/\s+/g, " ").trim();

export class GpuDevice implements Things {
  readonly buffers: (GPUBuffer | undefined)[] = [];
  readonly kernels: (Kernel | undefined)[] = [];
  readonly groups: (GPUBindGroup | undefined)[] = [];
  readonly queue: GpuQueue;
  private readonly running = new Set<number>();
  private closed = false;

  constructor(
    private readonly number: number,
    readonly device: GPUDevice,
    private readonly memory: CoreMemory,
  ) {
    this.queue = new GpuQueue(device, memory, this);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault(); // no message on the console: it is returned
      // What only follows from an error, in Chromium's words, comes some time after it, which was told already.
      const text = textOf(event.error);
      if (!/\] is invalid due to a previous error/.test(text)) this.trouble(codeOf(event.error), text);
    });
    void device.lost.then(({ message }) => this.lost(message || "without a message"));
  }

  // ---- life and errors ----

  close(): void {
    this.closed = true;
    this.running.clear();
    this.device.destroy();
  }
  lose(): void {
    this.device.destroy();
  }
  private lost(message: string): void {
    if (this.closed) return;
    this.memory.trouble(this.number, "device-lost", message);
    for (const operation of [...this.running]) this.end(operation, "device-lost", message);
  }
  trouble(code: WeftErrorCode, text: string): void {
    if (!this.closed) this.memory.trouble(this.number, code, text);
  }
  fail(e: unknown): void {
    this.trouble("internal", textOf(e));
  }
  begin(operation: number): void {
    this.running.add(operation);
  }
  end(operation: number, code: "ok" | WeftErrorCode, text?: string): void {
    if (this.running.delete(operation)) this.memory.settle(operation, code, text);
  }
  // A rejected promise: mostly the device's loss is why, which says more, but browsers tell of it a while later.
  refuse(operation: number, e: unknown): void {
    setTimeout(() => this.end(operation, "internal", textOf(e)), lossDelay);
  }

  // Runs `make` and tells what the GPU says of it.
  private scoped<T>(make: () => T): [T, Promise<GPUError | null>] {
    const { device } = this;
    const filters = ["validation", "out-of-memory", "internal"] as const;
    for (const filter of filters) device.pushErrorScope(filter);
    let popped: Promise<(GPUError | null)[]> | undefined;
    try {
      const made = make();
      popped = Promise.all(filters.map(() => device.popErrorScope()));
      return [made, popped.then((errors) => errors.find((error) => error !== null) ?? null)];
    } finally {
      if (!popped) for (const _ of filters) void device.popErrorScope().catch(() => null);
    }
  }

  // ---- what is made ----

  createBuffer(operation: number, handle: number, size: number, label: string): void {
    this.begin(operation);
    try {
      const [buffer, error] = this.scoped(() => this.device.createBuffer({ label, size, usage: bufferUsage }));
      this.buffers[place(handle)] = buffer;
      error.then(
        (e) => (e ? this.end(operation, codeOf(e), textOf(e)) : this.end(operation, "ok")),
        (e: unknown) => this.refuse(operation, e),
      );
    } catch (e) {
      this.end(operation, "out-of-memory", textOf(e));
    }
  }
  destroyBuffer(handle: number): void {
    this.buffers[place(handle)]?.destroy();
    this.buffers[place(handle)] = undefined;
  }

  createPipeline(operation: number, handle: number, label: string, wgsl: string, bindings: Uint32Array): void {
    this.begin(operation);
    const kernel: Kernel = { layout: undefined, pipeline: undefined };
    this.kernels[place(handle)] = kernel;
    compile(this.device, kernel, label, wgsl, bindings, (make) => this.scoped(make)).then(
      (failure) => (failure ? this.end(operation, ...failure) : this.end(operation, "ok")),
      (e: unknown) => this.refuse(operation, e),
    );
  }
  destroyPipeline(handle: number): void {
    this.kernels[place(handle)] = undefined;
  }

  createGroup(handle: number, pipeline: number, at: number, count: number): void {
    try {
      const words = this.memory.words();
      const entries = entriesOf(words, at >>> 2, count, (buffer) => this.buffers[place(buffer)]!);
      const layout = this.kernels[place(pipeline)]!.layout!;
      this.groups[place(handle)] = this.device.createBindGroup({ layout, entries });
    } catch (e) {
      this.fail(e);
    }
  }
  destroyGroup(handle: number): void {
    this.groups[place(handle)] = undefined;
  }

  finish(operation: number): void {
    this.begin(operation);
    this.device.queue.onSubmittedWorkDone().then(
      () => this.end(operation, "ok"),
      (e: unknown) => this.refuse(operation, e),
    );
  }
}

function codeOf(error: GPUError): WeftErrorCode {
  const kind = error.constructor.name;
  return kind === "GPUOutOfMemoryError" ? "out-of-memory" : kind === "GPUValidationError" ? "invalid-argument" : "internal";
}
