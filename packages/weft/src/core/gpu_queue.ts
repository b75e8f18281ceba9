// What the module submits to a device and reads back from it: command lists, writes, staging buffers, timestamps. The
// module checks handles and ranges before it calls. Every token passes here: nothing is made for a dispatch.
import type { CoreMemory } from "./abi.js";
import type { Kernel } from "./gpu_kernels.js";
import { ReadBacks, type Operations } from "./gpu_reads.js";

// Codes of GpuCommands (src/gpu/gpu.h).
const dispatch = 0;
const copy = 1;
const clear = 2;
const timedPass = 3;

const passesPerSet = 2048; // a set of queries has 4096 at most, two a pass
const maxTimedPasses = 4096;
const sharedChunk = 1 << 20;
const resolveUsage = 0x200 | 0x4; // GPUBufferUsage.QUERY_RESOLVE and COPY_SRC

// The low 20 bits of a handle are its place in an array; the rest tells the module whether it is still meant.
export const place = (handle: number): number => handle & 0xfffff;
const long = (w: Uint32Array, i: number): number => w[i]! + w[i + 1]! * 0x1_0000_0000;

// Where the handles lead, and who hears of what was thrown: the module's next call returns it.
export interface Things extends Operations {
  readonly buffers: (GPUBuffer | undefined)[];
  readonly kernels: (Kernel | undefined)[];
  readonly groups: (GPUBindGroup | undefined)[];
  fail(e: unknown): void;
}

export class GpuQueue {
  private readonly reads: ReadBacks;
  private readonly submitted: GPUCommandBuffer[] = []; // one, to pass it without making an array
  private readonly queries: GPUQuerySet[] = [];
  private resolved: GPUBuffer | undefined;
  private chunk: Uint8Array<ArrayBuffer> | undefined; // for memory that writeBuffer refuses

  constructor(
    private readonly device: GPUDevice,
    private readonly memory: CoreMemory,
    private readonly things: Things,
  ) {
    this.reads = new ReadBacks(device, memory, things);
  }

  // Bytes of the buffers of its own.
  get staging(): number {
    return this.reads.bytes + (this.resolved?.size ?? 0);
  }

  // ---- what is submitted ----

  write(handle: number, offset: number, at: number, count: number): void {
    const { queue } = this.device;
    const buffer = this.things.buffers[place(handle)]!;
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
      this.things.fail(e);
    }
  }

  // The words of GpuCommands.
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
          if (w[i + 1] !== pipeline) pass.setPipeline(this.things.kernels[place((pipeline = w[i + 1]!))]!.pipeline!);
          if (w[i + 2] !== group) pass.setBindGroup(0, this.things.groups[place((group = w[i + 2]!))]!);
          pass.dispatchWorkgroups(w[i + 3]!, w[i + 4], w[i + 5]);
          i += 6;
          continue;
        }
        pass?.end();
        pass = undefined;
        if (code === copy) {
          const from = this.things.buffers[place(w[i + 1]!)]!;
          const to = this.things.buffers[place(w[i + 2]!)]!;
          encoder.copyBufferToBuffer(from, long(w, i + 3), to, long(w, i + 5), long(w, i + 7));
          i += 9;
        } else if (code === clear) {
          encoder.clearBuffer(this.things.buffers[place(w[i + 1]!)]!, long(w, i + 2), long(w, i + 4));
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
      this.things.fail(e);
    }
  }
  private send(encoder: GPUCommandEncoder): void {
    this.submitted[0] = encoder.finish();
    this.device.queue.submit(this.submitted);
    this.submitted.length = 0;
  }

  // ---- what comes back ----

  beginRead(ticket: number, handle: number, offset: number, bytes: number): void {
    this.begin(ticket, bytes, (encoder, to) =>
      encoder.copyBufferToBuffer(this.things.buffers[place(handle)]!, offset, to, 0, bytes),
    );
  }
  private begin(ticket: number, bytes: number, record: (encoder: GPUCommandEncoder, to: GPUBuffer) => void): void {
    try {
      const read = this.reads.add(place(ticket), bytes);
      const encoder = this.device.createCommandEncoder();
      record(encoder, read.buffer);
      this.send(encoder);
      read.map();
    } catch (e) {
      this.reads.take(place(ticket), 0, 0); // who awaits it finds none
      this.things.fail(e);
    }
  }
  awaitRead(operation: number, ticket: number): number {
    return this.reads.await(operation, place(ticket));
  }
  takeRead(ticket: number, out: number, bytes: number): void {
    try {
      this.reads.take(place(ticket), out >>> 0, bytes >>> 0);
    } catch (e) {
      this.things.fail(e);
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
    return (this.resolved = device.createBuffer({ label: "timestamps", size: 16 * maxTimedPasses, usage: resolveUsage }));
  }
  beginTimestamps(ticket: number, passes: number): void {
    this.begin(ticket, 16 * passes, (encoder, to) => {
      const resolved = this.resolved ?? this.makeQueries();
      for (let first = 0, set = 0; first < passes; first += passesPerSet, ++set) {
        const count = 2 * Math.min(passes - first, passesPerSet);
        encoder.resolveQuerySet(this.queries[set]!, 0, count, resolved, 16 * first);
      }
      encoder.copyBufferToBuffer(resolved, 0, to, 0, 16 * passes);
    });
  }
}
