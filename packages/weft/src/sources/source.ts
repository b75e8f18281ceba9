// Where the bytes of a model come from: HTTP, the cache, a File, a handle, memory. The core opens sources by name and
// reads ranges of at most a few MB, roughly in file order.
//
//   const source = sources.get(name)!;
//   const view = () => new Uint8Array(memory.buffer, address, length);
//   const done = source.read(offset, view);      // true: the bytes are there
//   if (done !== true) await done;               // they are there now
import { fail } from "./fail.js";

// Where to put bytes. A function is asked at the moment of writing: memory that grows meanwhile leaves a view detached.
export type Into = Uint8Array | (() => Uint8Array);

export interface Source {
  readonly name: string;
  readonly size: number; // bytes
  // Fills `into` from `offset`; never a part of it. True: done. A promise: done when it resolves. Fails with WeftError.
  read(offset: number, into: Into): true | Promise<void>;
  // The model fits and will be read whole: its download may start. Resolves once the cache has room for it and the
  // download runs (not when it ended); reads wait for their bytes.
  begin?(): void | Promise<void>;
  close(): void | Promise<void>;
}

// What a load takes its bytes from. network: being downloaded; another-tab: another tab downloads it for all.
export type Origin = "network" | "another-tab" | "cache" | "file";

export interface Progress {
  loaded: number; // bytes, of all parts
  total: number; // bytes; 0 as long as the server did not tell
  bytesPerSecond: number; // over the last seconds; 0 if unknown
  secondsLeft: number; // NaN if unknown
  from: Origin;
}

export const MB = 1 << 20;

export function viewOf(into: Into): Uint8Array {
  return typeof into === "function" ? into() : into;
}

// Puts bytes where they belong, or says that the view was lost.
export function put(bytes: Uint8Array, into: Into, at = 0): void {
  const view = viewOf(into);
  if (view.length < at + bytes.length)
    throw fail("internal", "read", "the target", `${at + bytes.length} bytes`, `${view.length}`);
  view.set(bytes, at);
}

export function checkRange(name: string, offset: number, length: number, size: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || length > size - offset)
    throw fail("io", name, `read of ${length} bytes at ${offset}`, `inside ${size} bytes`, "beyond the end");
}

// A source whose bytes are in memory: tests, and small files that came by message.
export class MemorySource implements Source {
  readonly size: number;
  constructor(readonly name: string, private readonly bytes: Uint8Array) {
    this.size = bytes.length;
  }
  read(offset: number, into: Into): true {
    const view = viewOf(into);
    checkRange(this.name, offset, view.length, this.size);
    view.set(this.bytes.subarray(offset, offset + view.length));
    return true;
  }
  close(): void {}
}
