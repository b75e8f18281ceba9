// A folder of files as the cache needs it, in OPFS or in memory.
//
//   const folder = await openFolder();
//   const file = await folder.writer("a.part"); file.write(0, bytes); file.flush(); file.close();
//   await folder.rename("a.part", "a.data");
//   const source = await folder.reader("a.data");
import { openHandle, readSync, type SyncCapable, type SyncHandle } from "../sources/handle.js";
import { checkRange, put, viewOf, type Into, type Source } from "../sources/source.js";
import { fail, nameOf, wordsOf } from "../sources/fail.js";

export interface WritableFile {
  size(): number;
  read(offset: number, into: Into): void; // all or an error
  write(offset: number, bytes: Uint8Array): void; // all or an error
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

export interface Folder {
  readonly where: "opfs" | "memory";
  readonly reason: string; // why it is not OPFS
  names(): Promise<string[]>;
  size(name: string): Promise<number | undefined>; // undefined: there is none
  reader(name: string): Promise<Source>;
  writer(name: string): Promise<WritableFile>; // made if there is none; nobody else may write or read it meanwhile
  rename(from: string, to: string): Promise<boolean>; // replaces `to`; false: this browser cannot
  remove(name: string): Promise<void>; // or nothing, if there is none
}

const folderName = "weft-models";

// The cache's folder, or memory where there is no OPFS (old browsers, some private modes, pages without https).
export async function openFolder(): Promise<Folder> {
  try {
    const storage = (globalThis.navigator as Navigator | undefined)?.storage;
    if (typeof storage?.getDirectory !== "function") {
      const secure = (globalThis as { isSecureContext?: boolean }).isSecureContext;
      return new MemoryFolder(secure === false ? "the page has no secure address (https or localhost), so no storage"
        : "this place has no private file system (OPFS)");
    }
    const root = await storage.getDirectory();
    const folder = await root.getDirectoryHandle(folderName, { create: true });
    return await OpfsFolder.tried(folder);
  } catch (e) {
    return new MemoryFolder(`the private file system (OPFS) does not open: ${wordsOf(e)}`);
  }
}

class OpfsFolder implements Folder {
  readonly where = "opfs";
  readonly reason = "";
  private constructor(private readonly folder: FileSystemDirectoryHandle) {}

  // Throws if files cannot be written here by sync handles, as in some private modes and outside of dedicated workers.
  static async tried(folder: FileSystemDirectoryHandle): Promise<OpfsFolder> {
    const out = new OpfsFolder(folder);
    const name = `try-${crypto.randomUUID()}`;
    try {
      (await out.writer(name)).close();
    } finally {
      await out.remove(name).catch(() => {});
    }
    return out;
  }

  async names(): Promise<string[]> {
    const out: string[] = [];
    const keys = (this.folder as FileSystemDirectoryHandle & { keys(): AsyncIterable<string> }).keys();
    for await (const name of keys) out.push(name);
    return out;
  }

  async size(name: string): Promise<number | undefined> {
    try {
      return (await (await this.folder.getFileHandle(name)).getFile()).size;
    } catch (e) {
      if (nameOf(e) === "NotFoundError") return undefined;
      throw broken(name, e);
    }
  }

  async reader(name: string): Promise<Source> {
    return openHandle(await this.handle(name, false), name);
  }

  async writer(name: string): Promise<WritableFile> {
    const handle = await this.handle(name, true);
    try {
      if (!handle.createSyncAccessHandle) throw new Error("no createSyncAccessHandle (only dedicated workers have it)");
      return new OpfsFile(name, await handle.createSyncAccessHandle());
    } catch (e) {
      throw broken(name, e);
    }
  }

  async rename(from: string, to: string): Promise<boolean> {
    const handle = await this.handle(from, false);
    if (!handle.move) return false;
    try {
      await handle.move(to);
    } catch (e) {
      throw broken(from, e);
    }
    return true;
  }

  async remove(name: string): Promise<void> {
    try {
      await this.folder.removeEntry(name);
    } catch (e) {
      if (nameOf(e) !== "NotFoundError") throw broken(name, e);
    }
  }

  private async handle(name: string, create: boolean): Promise<SyncCapable> {
    try {
      return await this.folder.getFileHandle(name, { create }) as SyncCapable;
    } catch (e) {
      throw broken(name, e);
    }
  }
}

class OpfsFile implements WritableFile {
  constructor(private readonly name: string, private readonly handle: SyncHandle) {}
  size(): number {
    return this.handle.getSize();
  }
  read(offset: number, into: Into): void {
    readSync(this.handle, this.name, offset, into);
  }
  write(offset: number, bytes: Uint8Array): void {
    let wrote = 0;
    try {
      wrote = this.handle.write(bytes, { at: offset });
    } catch (e) {
      throw broken(this.name, e);
    }
    if (wrote !== bytes.length) throw fullDisk(this.name, `${wrote} of ${bytes.length} bytes written at ${offset}`);
  }
  truncate(size: number): void {
    this.attempt(() => this.handle.truncate(size));
  }
  flush(): void {
    this.attempt(() => this.handle.flush());
  }
  close(): void {
    this.handle.close();
  }
  private attempt(action: () => void): void {
    try {
      action();
    } catch (e) {
      throw broken(this.name, e);
    }
  }
}

function fullDisk(name: string, found: string) {
  return fail("quota-exceeded", name, "writing to the cache", "room", found);
}

function broken(name: string, e: unknown) {
  const kind = nameOf(e);
  if (kind === "QuotaExceededError") return fullDisk(name, wordsOf(e));
  if (kind === "NotFoundError") return fail("not-found", name, "a file of the cache", "one", wordsOf(e));
  if (kind === "NoModificationAllowedError")
    return fail("io", name, "a file of the cache", "one that nobody uses", wordsOf(e),
      "the model is in use, perhaps in another tab: dispose of it or close the tab first");
  return fail("io", name, "a file of the cache", "to work", wordsOf(e));
}

// Files as chunks of 4 MB, gone with the folder.
export class MemoryFolder implements Folder {
  readonly where = "memory";
  private readonly files = new Map<string, MemoryFile>();
  constructor(readonly reason: string) {}

  async names(): Promise<string[]> {
    return [...this.files.keys()];
  }
  async size(name: string): Promise<number | undefined> {
    return this.files.get(name)?.size();
  }
  async reader(name: string): Promise<Source> {
    const file = this.files.get(name);
    if (!file) throw fail("not-found", name, "a file of the cache", "one", "none");
    const size = file.size();
    const read = (offset: number, into: Into): true => (file.read(offset, into), true);
    return { name, size, read, close() {} };
  }
  async writer(name: string): Promise<WritableFile> {
    const file = this.files.get(name) ?? new MemoryFile(name);
    this.files.set(name, file);
    return file;
  }
  async rename(from: string, to: string): Promise<boolean> {
    const file = this.files.get(from);
    if (!file) throw fail("not-found", from, "a file of the cache", "one", "none");
    this.files.delete(from);
    this.files.set(to, file);
    return true;
  }
  async remove(name: string): Promise<void> {
    this.files.delete(name);
  }
}

const chunk = 4 << 20;

class MemoryFile implements WritableFile {
  private readonly chunks: Uint8Array[] = [];
  private bytes = 0;
  constructor(private readonly name: string) {}

  size(): number {
    return this.bytes;
  }
  read(offset: number, into: Into): void {
    const view = viewOf(into);
    checkRange(this.name, offset, view.length, this.bytes);
    this.pieces(offset, view.length, (piece, at) => put(piece, view, at));
  }
  write(offset: number, bytes: Uint8Array): void {
    this.truncate(Math.max(this.bytes, offset + bytes.length));
    this.pieces(offset, bytes.length, (piece, at) => piece.set(bytes.subarray(at, at + piece.length)));
  }
  truncate(size: number): void {
    while (this.chunks.length * chunk < size) this.chunks.push(new Uint8Array(chunk));
    this.chunks.length = Math.ceil(size / chunk);
    this.bytes = size;
  }
  flush(): void {}
  close(): void {}

  private pieces(offset: number, length: number, each: (piece: Uint8Array, at: number) => void): void {
    for (let at = 0; at < length; ) {
      const inside = (offset + at) % chunk;
      const size = Math.min(chunk - inside, length - at);
      each(this.chunks[Math.floor((offset + at) / chunk)]!.subarray(inside, inside + size), at);
      at += size;
    }
  }
}
