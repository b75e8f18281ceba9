// Read-backs through a pool of mappable staging buffers.
import type { CoreMemory } from "./abi.js";

const maxPooled = 16 << 20; // larger ones are not kept for later reads
const leastBytes = 256;
const mapRead = 0x1; // GPUMapMode.READ, and the usage of the same number
const copyDst = 0x8;

// Who is told about the operations that wait for a read.
export interface Operations {
  begin(operation: number): void;
  end(operation: number, code: "ok"): void;
  refuse(operation: number, e: unknown): void;
}

// A staging buffer and the read that it serves. What waits for the mapping is made once, not for each read.
class Staging {
  bytes = 0;
  operation = 0; // that waits
  mapped = false;
  failed: unknown = undefined;
  private readonly onMapped = (): void => {
    this.mapped = true;
    if (this.operation) this.operations.end(this.operation, "ok");
  };
  private readonly onFailed = (e: unknown): void => {
    this.failed = e ?? new Error("not mapped");
    if (this.operation) this.operations.refuse(this.operation, this.failed);
  };

  constructor(
    readonly buffer: GPUBuffer,
    readonly capacity: number,
    private readonly operations: Operations,
  ) {}

  map(): void {
    this.buffer.mapAsync(mapRead, 0, this.bytes).then(this.onMapped, this.onFailed);
  }
}

export class ReadBacks {
  bytes = 0; // of all staging buffers
  private readonly reads: (Staging | undefined)[] = [];
  private readonly pool: Staging[] = [];

  constructor(
    private readonly device: GPUDevice,
    private readonly memory: CoreMemory,
    private readonly operations: Operations,
  ) {}

  // A staging buffer for a read at this place; map() it once the copy into it is submitted.
  add(place: number, bytes: number): Staging {
    let best = -1;
    for (let i = 0; i < this.pool.length; ++i) {
      const { capacity } = this.pool[i]!;
      if (capacity >= bytes && (best < 0 || capacity < this.pool[best]!.capacity)) best = i;
    }
    let read: Staging;
    if (best >= 0) {
      read = this.pool[best]!;
      this.pool[best] = this.pool[this.pool.length - 1]!;
      this.pool.pop();
    } else {
      let size = bytes;
      if (bytes <= maxPooled) for (size = leastBytes; size < bytes; ) size *= 2;
      const buffer = this.device.createBuffer({ label: "staging", size, usage: mapRead | copyDst });
      read = new Staging(buffer, size, this.operations);
      this.bytes += size;
    }
    read.bytes = bytes;
    read.operation = 0;
    this.reads[place] = read;
    return read;
  }

  // 1: mapped already. Else the operation ends when it is.
  await(operation: number, place: number): number {
    const read = this.reads[place];
    if (read?.mapped) return 1;
    this.operations.begin(operation);
    if (!read) this.operations.refuse(operation, new Error("a read that failed to begin"));
    else if (read.failed !== undefined) this.operations.refuse(operation, read.failed);
    else read.operation = operation;
    return 0;
  }

  // Copies into the module's memory, if it is mapped, and the staging buffer goes back.
  take(place: number, out: number, bytes: number): void {
    const read = this.reads[place];
    this.reads[place] = undefined;
    if (!read) return;
    const keep = read.mapped && read.capacity <= maxPooled;
    try {
      if (read.mapped && bytes > 0) {
        const from = new Uint8Array(read.buffer.getMappedRange(0, bytes));
        this.memory.bytes().set(from, out);
      }
    } finally {
      if (read.mapped) read.buffer.unmap();
      read.mapped = false;
      read.operation = 0;
      if (keep) this.pool.push(read);
      else this.drop(read);
    }
  }
  private drop(read: Staging): void {
    this.bytes -= read.capacity;
    read.buffer.destroy();
  }
}
