// One file's way from a server into the cache: written in chunks, hashed on the way, journaled every two seconds.
//
//   const download = new Download(entries, key, remote, options);
//   await download.run(await entries.settled(key));     // resumes; returns the sidecar of the whole; the lock is held
//   download.read(offset, into)                          // meanwhile: true if these bytes came already
import { Entries, writeSidecar, type Sidecar } from "./entries.js";
import type { WritableFile } from "./folder.js";
import { reserve } from "./room.js";
import { Sha256 } from "./sha256.js";
import { retried, Transient } from "../sources/http.js";
import type { Remote } from "../sources/remote.js";
import { MB, viewOf, type Into } from "../sources/source.js";
import { fail } from "../sources/fail.js";

const chunkBytes = MB;
const journalEvery = 2000; // ms
const attempts = 6; // in a row without a byte

export interface DownloadEvents {
  starts(at: number): void; // so many bytes are there from an earlier time
  arrived(readable: number, received: number): void; // bytes that can be read, bytes that came
  wanted(): number; // how many bytes it would take to serve the first who waits
}

// The bytes that came are not those that were announced, or those on the disk are not those that came.
export class Mismatch {
  constructor(readonly error: ReturnType<typeof fail>) {}
}

export class Download {
  private file: WritableFile | undefined;
  private hash = new Sha256();
  private readonly chunk = new Uint8Array(chunkBytes);
  private filled = 0; // bytes in chunk
  private written = 0; // bytes in file, all of them hashed

  constructor(
    private readonly entries: Entries,
    private readonly key: string,
    private readonly remote: Remote,
    private readonly expected: string, // SHA-256, or ""
    private readonly events: DownloadEvents,
  ) {}

  read(offset: number, into: Into): boolean {
    if (!this.file || offset + viewOf(into).length > this.written) return false;
    this.file.read(offset, into);
    return true;
  }

  async run(part: Sidecar | undefined): Promise<Sidecar> {
    const { folder } = this.entries;
    const sidecar = part ?? this.start();
    const file = await folder.writer(`${this.key}.part`);
    const journal = await folder.writer(`${this.key}.part.json`).catch((e) => (file.close(), Promise.reject(e)));
    try {
      await this.resume(file, sidecar);
      const note = (clean: boolean) => {
        file.flush();
        Object.assign(sidecar, { loaded: this.written, hash: this.hash.state(), clean });
        writeSidecar(journal, sidecar);
      };
      note(false);
      try {
        await this.fetch(note);
      } catch (e) {
        try {
          file.truncate(this.written);
          note(true);
        } catch {
          // No room even for that: the journal stays that of an unclean stop.
        }
        throw e;
      }
      sidecar.sha256 = this.checked();
      Object.assign(sidecar, { complete: true, size: this.written });
      note(true);
    } finally {
      this.file = undefined;
      file.close();
      journal.close();
    }
    return this.entries.commit(this.key, sidecar);
  }

  // Makes room for the whole before any of it is fetched. The lock is held.
  async reserve(part: Sidecar | undefined): Promise<void> {
    if (part?.complete || this.remote.size < 0) return;
    if (!part) await this.entries.write(`${this.key}.part.json`, this.start());
    const file = await this.entries.folder.writer(`${this.key}.part`);
    try {
      await reserve(this.entries, this.remote.target.url, file, this.remote.size);
    } finally {
      file.close();
    }
  }

  private start(): Sidecar {
    const { facts, name, target } = this.remote;
    const now = Date.now();
    return {
      format: 1, url: target.url, name, revision: facts.revision, size: facts.size, complete: false, sha256: this.expected,
      data: `${this.key}.part`, loaded: 0, hash: new Sha256().state(), clean: true, created: now, used: now,
    };
  }

  // Goes on where the part ends. After an unclean stop what is on the disk is hashed again and has to be what came.
  private async resume(file: WritableFile, part: Sidecar): Promise<void> {
    let from = this.remote.facts.revision === "" || part.size !== this.remote.size ? 0 : part.loaded;
    if (from > 0 && !part.clean && !await this.same(file, part)) from = 0;
    this.hash = from > 0 ? Sha256.resume(part.hash) : new Sha256();
    if (this.hash.length !== from) throw new Mismatch(damaged(this.remote.target.url));
    file.truncate(Math.max(this.remote.size, from));
    this.file = file;
    this.written = from;
    this.events.starts(from);
  }

  private async same(file: WritableFile, part: Sidecar): Promise<boolean> {
    const hash = new Sha256();
    for (let at = 0; at < part.loaded; at += chunkBytes) {
      const view = this.chunk.subarray(0, Math.min(chunkBytes, part.loaded - at));
      file.read(at, view);
      hash.update(view);
      if (at % (8 * MB) === 0) await turn();
      this.remote.target.signal?.throwIfAborted();
    }
    return hash.state() === part.hash;
  }

  private async fetch(note: (clean: boolean) => void): Promise<void> {
    const { target, size } = this.remote;
    let noted = performance.now();
    await retried(target, attempts, async (progress) => {
      try {
        for await (const bytes of this.remote.stream(this.written)) {
          progress();
          if (size >= 0 && this.written + this.filled + bytes.length > size)
            throw new Mismatch(fail("bad-file", target.url, "the download", `${size} bytes`, "more"));
          this.take(bytes);
          if (performance.now() - noted < journalEvery) continue;
          this.spill();
          note(false);
          noted = performance.now();
        }
      } finally {
        this.spill();
      }
      if (this.written < size)
        throw new Transient(fail("io", target.url, "the download", `${size} bytes`, `an end after ${this.written}`));
    });
  }

  private take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + chunkBytes - this.filled);
      this.chunk.set(piece, this.filled);
      this.filled += piece.length;
      at += piece.length;
      if (this.filled === chunkBytes) this.spill();
    }
    const received = this.written + this.filled;
    if (received >= this.events.wanted()) this.spill();
    else this.events.arrived(this.written, received);
  }

  private spill(): void {
    if (this.filled === 0) return;
    const bytes = this.chunk.subarray(0, this.filled);
    this.filled = 0;
    this.file!.write(this.written, bytes);
    this.hash.update(bytes);
    this.written += bytes.length;
    this.events.arrived(this.written, this.written);
  }

  private checked(): string {
    const sum = this.hash.hex();
    if (this.expected !== "" && sum !== this.expected)
      throw new Mismatch(fail("bad-file", this.remote.target.url, "SHA-256 of the download", this.expected, sum,
        "the file was damaged on its way or on the server: load it again later, or from another place"));
    return sum;
  }
}

function damaged(url: string) {
  return fail("bad-file", url, "the journal of the download", "one that agrees with itself", "another");
}

// Lets messages, timers and other loads run.
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(0);
  });
}
