// One GPUDevice for the module: what GpuHost's imports do with it. Things lie in arrays at the place of their handle
// (its low 20 bits); the module checks handles and ranges before it calls.
import type { WeftErrorCode } from "../errors.js";
import type { CoreMemory } from "./abi.js";
import { compile, entriesOf, type Kernel } from "./gpu_kernels.js";
import { ReadBacks } from "./gpu_reads.js";

// The numbers of GPUBufferUsage, which is no global everywhere.
const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 };
const place = (handle: number): number => handle & 0xfffff;

// Codes of GpuCommands (src/gpu/gpu.h).
const dispatch = 0;
const copy = 1;
const clear = 2;
const timedPass = 3;

const passesPerSet = 2048; // a set of queries has 4096 at most, two a pass
const maxTimedPasses = 4096;
const sharedChunk = 1 << 20;

export const textOf = (e: unknown): string =>
  ((e as { message?: string } | null)?.message || String(e)).replace(/\s+/g, " ").trim();

export class GpuDevice {
  private readonly buffers: (GPUBuffer | undefined)[] = [];
  private readonly kernels: (Kernel | undefined)[] = [];
  private readonly groups: (GPUBindGroup | undefined)[] = [];
  private readonly reads: ReadBacks;
  private readonly running = new Set<number>();
  private readonly submitted: GPUCommandBuffer[] = []; // one, to pass it without making an array
  private queries: GPUQuerySet[] = [];
  private resolved: GPUBuffer | undefined;
  private chunk: Uint8Array<ArrayBuffer> | undefined; // for memory that writeBuffer refuses
  private closed = false;

  constructor(
    private readonly number: number,
    readonly device: GPUDevice,
    private readonly memory: CoreMemory,
  ) {
    this.reads = new ReadBacks(device, memory, this);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault(); // no message on the console: it is returned
      this.trouble(codeOf(event.error), textOf(event.error));
    });
    void device.lost.then(({ message }) => this.lost(message || "without a message"));
  }

  get staging(): number {
    return this.reads.bytes + (this.resolved?.size ?? 0);
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
  begin(operation: number): void {
    this.running.add(operation);
  }
  end(operation: number, code: "ok" | WeftErrorCode, text?: string): void {
    if (this.running.delete(operation)) this.memory.settle(operation, code, text);
  }
  // A rejected promise: if the device's loss is why, that comes first and says more.
  refuse(operation: number, e: unknown): void {
    setTimeout(() => this.end(operation, "internal", textOf(e)), 0);
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
      const use = usage.storage | usage.uniform | usage.copySrc | usage.copyDst;
      const [buffer, error] = this.scoped(() => this.device.createBuffer({ label, size, usage: use }));
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
      this.trouble("internal", textOf(e));
    }
  }
  destroyGroup(handle: number): void {
    this.groups[place(handle)] = undefined;
  }

  // ---- what is submitted ----

  write(handle: number, offset: number, at: number, count: number): void {
    const { queue } = this.device;
    const buffer = this.buffers[place(handle)]!;
    at >>>= 0;
    try {
      const bytes = this.memory.bytes();
      if (!this.chunk) {
        try {
          queue.writeBuffer(buffer, offset, bytes.buffer as ArrayBuffer, at, count);
          return;
        } catch (e) {
          if (bytes.buffer instanceof ArrayBuffer) throw e;
          this.chunk = new Uint8Array(sharedChunk); // shared memory is not taken here
        }
      }
      for (let done = 0; done < count; done += sharedChunk) {
        const n = Math.min(sharedChunk, count - done);
        this.chunk.set(bytes.subarray(at + done, at + done + n));
        queue.writeBuffer(buffer, offset + done, this.chunk, 0, n);
      }
    } catch (e) {
      this.trouble("internal", textOf(e));
    }
  }

  // The words of GpuCommands. Every token passes here: nothing is made for a dispatch.
  submit(at: number, count: number): void {
    const { device } = this;
    try {
      const w = this.memory.words();
      const encoder = device.createCommandEncoder();
      let pass: GPUComputePassEncoder | undefined;
      let pipeline = 0;
      let group = 0;
      for (let i = at >>> 2, end = i + count; i < end; ) {
        const code = w[i]!;
        if (code === dispatch) {
          if (!pass) {
            pass = encoder.beginComputePass();
            pipeline = group = 0;
          }
          if (w[i + 1] !== pipeline) pass.setPipeline(this.kernels[place((pipeline = w[i + 1]!))]!.pipeline!);
          if (w[i + 2] !== group) pass.setBindGroup(0, this.groups[place((group = w[i + 2]!))]!);
          pass.dispatchWorkgroups(w[i + 3]!, w[i + 4], w[i + 5]);
          i += 6;
          continue;
        }
        pass?.end();
        pass = undefined;
        if (code === copy) {
          const from = this.buffers[place(w[i + 1]!)]!;
          const to = this.buffers[place(w[i + 2]!)]!;
          encoder.copyBufferToBuffer(from, long(w, i + 3), to, long(w, i + 5), long(w, i + 7));
          i += 9;
        } else if (code === clear) {
          encoder.clearBuffer(this.buffers[place(w[i + 1]!)]!, long(w, i + 2), long(w, i + 4));
          i += 6;
        } else if (code === timedPass) {
          const timestampWrites = this.timestampWrites(w[i + 1]!);
          if (timestampWrites) {
            pass = encoder.beginComputePass({ timestampWrites });
            pipeline = group = 0;
          }
          i += 2;
        } else throw new Error(`command ${code} at word ${i - (at >>> 2)}`);
      }
      pass?.end();
      this.send(encoder);
    } catch (e) {
      this.trouble("internal", textOf(e));
    }
  }
  private send(encoder: GPUCommandEncoder): void {
    this.submitted[0] = encoder.finish();
    this.device.queue.submit(this.submitted);
    this.submitted.length = 0;
  }
  finish(operation: number): void {
    this.begin(operation);
    this.device.queue.onSubmittedWorkDone().then(
      () => this.end(operation, "ok"),
      (e: unknown) => this.refuse(operation, e),
    );
  }

  // ---- what comes back ----

  beginRead(ticket: number, handle: number, offset: number, bytes: number): void {
    try {
      const read = this.reads.add(place(ticket), bytes);
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(this.buffers[place(handle)]!, offset, read.buffer, 0, bytes);
      this.send(encoder);
      read.map();
    } catch (e) {
      this.trouble("internal", textOf(e));
    }
  }
  awaitRead(operation: number, ticket: number): number {
    return this.reads.await(operation, place(ticket));
  }
  takeRead(ticket: number, out: number, bytes: number): void {
    try {
      this.reads.take(place(ticket), out >>> 0, bytes >>> 0);
    } catch (e) {
      this.trouble("internal", textOf(e));
    }
  }

  private timestampWrites(index: number): GPUComputePassTimestampWrites | undefined {
    if (!this.device.features.has("timestamp-query")) return undefined;
    if (!this.resolved) this.makeQueries();
    const at = 2 * (index % passesPerSet);
    const querySet = this.queries[Math.floor(index / passesPerSet)]!;
    return { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
  }
  private makeQueries(): GPUBuffer {
    const { device } = this;
    for (let first = 0; first < maxTimedPasses; first += passesPerSet)
      this.queries.push(device.createQuerySet({ type: "timestamp", count: 2 * passesPerSet }));
    const use = usage.queryResolve | usage.copySrc;
    return (this.resolved = device.createBuffer({ label: "timestamps", size: 16 * maxTimedPasses, usage: use }));
  }
  beginTimestamps(ticket: number, passes: number): void {
    try {
      const resolved = this.resolved ?? this.makeQueries();
      const read = this.reads.add(place(ticket), 16 * passes);
      const encoder = this.device.createCommandEncoder();
      for (let first = 0, set = 0; first < passes; first += passesPerSet, ++set) {
        const count = 2 * Math.min(passes - first, passesPerSet);
        encoder.resolveQuerySet(this.queries[set]!, 0, count, resolved, 16 * first);
      }
      encoder.copyBufferToBuffer(resolved, 0, read.buffer, 0, 16 * passes);
      this.send(encoder);
      read.map();
    } catch (e) {
      this.trouble("internal", textOf(e));
    }
  }
}

const long = (w: Uint32Array, i: number): number => w[i]! + w[i + 1]! * 0x1_0000_0000;

function codeOf(error: GPUError): WeftErrorCode {
  const kind = error.constructor.name;
  return kind === "GPUOutOfMemoryError" ? "out-of-memory" : kind === "GPUValidationError" ? "invalid-argument" : "internal";
}
