// A file by its path, in Node. (process.getBuiltinModule keeps "node:fs" out of what bundlers see.)
import { checkRange, viewOf, type Into, type Source } from "./source.js";
import { fail, wordsOf } from "./fail.js";

type Fs = typeof import("node:fs");

export function nodeFs(): Fs | undefined {
  const node = (globalThis as { process?: { getBuiltinModule?(name: string): unknown } }).process;
  return node?.getBuiltinModule?.("node:fs") as Fs | undefined;
}

export class NodeFileSource implements Source {
  readonly size: number;
  private readonly file: number;

  constructor(private readonly fs: Fs, path: string, readonly name: string) {
    try {
      this.file = fs.openSync(path, "r");
    } catch (e) {
      const missing = (e as { code?: string }).code === "ENOENT";
      throw fail(missing ? "not-found" : "io", path, "opening the file", "a file", wordsOf(e));
    }
    const stat = fs.fstatSync(this.file);
    this.size = stat.size;
    if (stat.isFile()) return;
    this.close();
    throw fail("invalid-argument", path, "the model", "a file", "a folder or device");
  }

  read(offset: number, into: Into): true {
    const view = viewOf(into);
    checkRange(this.name, offset, view.length, this.size);
    for (let done = 0; done < view.length; ) {
      const got = this.fs.readSync(this.file, view, done, view.length - done, offset + done);
      if (got === 0) throw fail("io", this.name, `read at ${offset + done}`, "more bytes", "the end: the file was cut");
      done += got;
    }
    return true;
  }

  close(): void {
    this.fs.closeSync(this.file);
  }
}
