// A File or Blob: a picked or dropped file, or a file in Node (fs.openAsBlob). In a worker reads are synchronous.
import { checkRange, viewOf, put, type Into, type Source } from "./source.js";
import { fail, wordsOf } from "./fail.js";

interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

export class BlobSource implements Source {
  readonly name: string;
  readonly size: number;
  private readonly sync: SyncReader | undefined;

  constructor(private readonly blob: Blob, name?: string) {
    this.name = name ?? (blob as Partial<File>).name ?? "model";
    this.size = blob.size;
    const reader = (globalThis as { FileReaderSync?: new () => SyncReader }).FileReaderSync;
    if (reader) this.sync = new reader();
  }

  read(offset: number, into: Into): true | Promise<void> {
    const length = viewOf(into).length;
    checkRange(this.name, offset, length, this.size);
    const slice = this.blob.slice(offset, offset + length);
    if (!this.sync) return slice.arrayBuffer().then((bytes) => this.deliver(bytes, into), (e) => this.broken(e));
    let bytes: ArrayBuffer;
    try {
      bytes = this.sync.readAsArrayBuffer(slice);
    } catch (e) {
      return this.broken(e);
    }
    this.deliver(bytes, into);
    return true;
  }

  close(): void {}

  private deliver(bytes: ArrayBuffer, into: Into): void {
    put(new Uint8Array(bytes), into);
  }

  private broken(e: unknown): never {
    throw fail("io", this.name, "reading the file", "its bytes", wordsOf(e),
      "the file may have been moved, changed or removed since it was chosen: choose it again");
  }
}
