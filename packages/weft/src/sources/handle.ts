// A FileSystemFileHandle: of the origin's private file system by a sync access handle, of the user's disk as a File.
//
// Sync handles shut others out, except in the mode "read-only" (Chromium from 121). Where one is taken already (a second
// tab, a second model of the same file) reads go through slices of the File, which no lock stops.
import { BlobSource } from "./blob.js";
import { checkRange, put, viewOf, type Into, type Source } from "./source.js";
import { fail, nameOf, wordsOf } from "./fail.js";

// The part of FileSystemSyncAccessHandle that is used here; the DOM's types leave it to those of workers.
export interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(from: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
export interface SyncCapable extends FileSystemFileHandle {
  createSyncAccessHandle?(options?: { mode?: "readwrite" | "read-only" }): Promise<SyncHandle>;
  move?(name: string): Promise<void>;
}

export async function openHandle(handle: FileSystemFileHandle, name = handle.name): Promise<Source> {
  try {
    const sync = await (handle as SyncCapable).createSyncAccessHandle?.({ mode: "read-only" });
    if (sync) return new SyncHandleSource(name, sync);
  } catch (e) {
    // NoModificationAllowedError: taken; InvalidStateError: a file of the user's disk. Both can be read as a File.
    if (nameOf(e) === "NotFoundError") throw fail("not-found", name, "the file", "one", wordsOf(e));
  }
  try {
    return new BlobSource(await handle.getFile(), name);
  } catch (e) {
    throw fail(nameOf(e) === "NotFoundError" ? "not-found" : "io", name, "opening the file", "its bytes", wordsOf(e),
      nameOf(e) === "NotAllowedError" ? "ask for permission by a click first: handle.requestPermission()" : undefined);
  }
}

export class SyncHandleSource implements Source {
  readonly size: number;
  constructor(readonly name: string, private readonly handle: SyncHandle) {
    this.size = handle.getSize();
  }
  read(offset: number, into: Into): true {
    checkRange(this.name, offset, viewOf(into).length, this.size);
    readSync(this.handle, this.name, offset, into);
    return true;
  }
  close(): void {
    this.handle.close();
  }
}

// Reads all of it or fails. Engines that take no view of shared memory get a buffer of their own.
let takesShared = true;
export function readSync(handle: SyncHandle, name: string, offset: number, into: Into): void {
  const view = viewOf(into);
  const shared = typeof SharedArrayBuffer !== "undefined" && view.buffer instanceof SharedArrayBuffer;
  let got = 0;
  try {
    if (shared && !takesShared) got = readCopied(handle, offset, view);
    else got = handle.read(view, { at: offset });
  } catch (e) {
    if (!shared || !takesShared || !(e instanceof TypeError))
      throw fail("io", name, `read of ${view.length} bytes at ${offset}`, "the bytes", wordsOf(e));
    takesShared = false;
    got = readCopied(handle, offset, view);
  }
  if (got !== view.length)
    throw fail("io", name, `read of ${view.length} bytes at ${offset}`, "all of them", `${got}: the file was cut`,
      "delete the model from the cache and load it again");
}

function readCopied(handle: SyncHandle, offset: number, view: Uint8Array): number {
  const copy = new Uint8Array(view.length);
  const got = handle.read(copy, { at: offset });
  put(copy.subarray(0, got), view);
  return got;
}
