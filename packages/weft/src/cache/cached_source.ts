// A file on a server that ends up in the cache: a source from the first byte on. Before begin() ranges come from the
// server; then one tab downloads the whole, and reads wait for their bytes; then they come from the cache.
import { WeftError } from "../errors.js";
import { Download, Mismatch, turn } from "./download.js";
import { Entries, lockOf, type Sidecar } from "./entries.js";
import { hold, tryHold, type Held } from "./locks.js";
import { noRoom } from "./room.js";
import { Sha256 } from "./sha256.js";
import { cancelled, isAbort } from "../sources/fail.js";
import type { Remote } from "../sources/remote.js";
import type { ProgressMeter } from "../sources/progress.js";
import { checkRange, MB, viewOf, type Into, type Source } from "../sources/source.js";

interface Waiter {
  offset: number;
  end: number;
  into: Into;
  resolve(): void;
  reject(error: unknown): void;
}

export class CachedSource implements Source {
  readonly name: string;
  private reader: Source | undefined;
  private download: Download | undefined;
  private error: WeftError | undefined;
  private waiters: Waiter[] = [];
  private begun = false;
  private closed = false;

  constructor(
    private readonly entries: Entries,
    readonly key: string,
    private readonly remote: Remote,
    private readonly expected: string,
    private readonly meter: ProgressMeter,
  ) {
    this.name = remote.name;
  }

  get url(): string {
    return this.remote.target.url;
  }
  get size(): number {
    return this.reader?.size ?? this.remote.size;
  }

  read(offset: number, into: Into): true | Promise<void> {
    if (this.error) throw this.error;
    if (this.reader) return this.reader.read(offset, into);
    const length = viewOf(into).length;
    if (this.size >= 0) checkRange(this.name, offset, length, this.size);
    if (this.download?.read(offset, into)) return true;
    if (!this.begun) return this.remote.read(offset, into);
    return new Promise((resolve, reject) => this.waiters.push({ offset, end: offset + length, into, resolve, reject }));
  }

  // How many bytes have yet to find room.
  async missing(): Promise<number> {
    const { size } = this.remote;
    const there = await this.entries.folder.size(`${this.key}.part`) ?? await this.entries.folder.size(`${this.key}.data`) ?? 0;
    return Math.max(size - there, 0);
  }

  // Takes the room for all of it. Another tab that downloads it has done so already.
  async reserve(): Promise<void> {
    if (this.entries.folder.where !== "opfs") return;
    const held = await tryHold(lockOf(this.key));
    if (!held) return;
    try {
      await this.downloader().reserve(await this.entries.settled(this.key));
    } finally {
      held.release();
    }
  }

  // Gives the room back if nothing came to fill it.
  async release(): Promise<void> {
    const held = await tryHold(lockOf(this.key));
    if (!held) return;
    try {
      const part = await this.entries.settled(this.key);
      if (part && part.loaded === 0 && !part.complete) await this.entries.remove(this.key);
    } finally {
      held.release();
    }
  }

  // From now on reads wait for the download.
  begin(): void {
    this.begun = true;
  }

  // Ends when the whole is in the cache. One tab at a time does it; the others wait, and take over if it dies.
  async fetchAll(signal: AbortSignal): Promise<void> {
    this.begin();
    try {
      await this.under(signal, async () => {
        const sidecar = await this.complete(await this.entries.settled(this.key));
        const reader = await this.entries.folder.reader(sidecar.data);
        if (this.closed) await reader.close();
        else this.reader = reader;
        this.meter.end(this.name, sidecar.size);
      });
    } catch (e) {
      const error = e instanceof Mismatch ? e.error
        : isAbort(e, signal) ? cancelled(this.url) : WeftError.from(e, "io", this.url);
      throw this.fail(error.code === "quota-exceeded" ? await this.explained() : error);
    } finally {
      this.remote.close();
    }
    this.serve(Infinity);
  }

  // Ends all reads by this error.
  fail(error: unknown): unknown {
    this.error = WeftError.from(error, "io", this.url);
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.error);
    return this.error;
  }

  async close(): Promise<void> {
    this.closed = true;
    if (!this.begun) this.remote.close();
    await this.reader?.close();
  }

  private async complete(start: Sidecar | undefined): Promise<Sidecar> {
    let part = start;
    for (let again = false; ; again = true) {
      if (part?.complete) return part;
      const lines = this.entries.folder.where === "opfs" ? new BroadcastChannel(lockOf(this.key)) : undefined;
      const download = this.downloader(lines);
      this.download = download;
      try {
        return await download.run(part);
      } catch (e) {
        if (!(e instanceof Mismatch)) throw e;
        await this.entries.remove(this.key);
        if (again) throw e;
        part = undefined;
      } finally {
        this.download = undefined;
        lines?.close();
      }
    }
  }

  private downloader(lines?: BroadcastChannel): Download {
    return new Download(this.entries, this.key, this.remote, this.expected, {
      starts: (at) => {
        this.meter.part(this.name, this.remote.size, at, "network");
        this.serve(at);
      },
      arrived: (readable, received) => {
        this.meter.set(this.name, received, "network");
        lines?.postMessage(received);
        this.serve(readable);
      },
      wanted: () => this.waiters.reduce((least, waiter) => Math.min(least, waiter.end), Infinity),
    });
  }

  private serve(readable: number): void {
    const ready = this.waiters.filter((waiter) => waiter.end <= readable);
    if (ready.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => waiter.end > readable);
    for (const waiter of ready) {
      try {
        const done = this.read(waiter.offset, waiter.into);
        if (done === true) waiter.resolve();
        else done.then(waiter.resolve, waiter.reject);
      } catch (e) {
        waiter.reject(e);
      }
    }
  }

  private async under(signal: AbortSignal, action: () => Promise<void>): Promise<void> {
    const name = lockOf(this.key);
    let held: Held | undefined = this.entries.folder.where === "opfs" ? await tryHold(name) : { release() {} };
    if (!held) {
      const lines = new BroadcastChannel(name);
      lines.onmessage = ({ data }) => this.meter.set(this.name, Number(data), "another-tab");
      try {
        held = await hold(name, signal);
      } finally {
        lines.close();
      }
    }
    try {
      signal.throwIfAborted();
      await action();
    } finally {
      held.release();
    }
  }

  private async explained(): Promise<WeftError> {
    const journal = (await this.entries.all()).get(this.key);
    const loaded = journal?.loaded ?? 0;
    return noRoom(this.entries, this.url, this.remote.size < 0 ? loaded + MB : this.remote.size - loaded, NaN);
  }
}

// Whether the data of a whole model is what its sidecar says; removes it if not.
export async function verified(
  entries: Entries, key: string, sidecar: Sidecar, meter?: ProgressMeter, signal?: AbortSignal,
): Promise<boolean> {
  const hash = new Sha256();
  const source = await entries.folder.reader(sidecar.data);
  try {
    const chunk = new Uint8Array(MB);
    for (let at = 0; at < source.size; at += MB) {
      const view = chunk.subarray(0, Math.min(MB, source.size - at));
      await source.read(at, view);
      hash.update(view);
      meter?.set(sidecar.name, at + view.length, "cache");
      if (at % (8 * MB) === 0) await turn();
      signal?.throwIfAborted();
    }
  } finally {
    await source.close();
  }
  if (hash.hex() === sidecar.sha256) return true;
  const held = await hold(lockOf(key), signal);
  try {
    await entries.remove(key);
  } finally {
    held.release();
  }
  return false;
}
