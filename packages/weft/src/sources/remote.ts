// A file on a server: ranges of it in blocks of 1 MB, of which the latest are kept, so that a header read in growing
// windows takes few requests; and the whole of it as a stream, for the cache.
//
// A server without ranges sends the file once from its start: reads go along with that stream, and what was read of it
// is kept until the stream is taken over (or, without a cache, for good: there is no other way to it).
import { chunksOf, request, requestOnce, retried, sameRevision, Transient, type Answer, type Facts, type Target } from "./http.js";
import { baseName } from "./names.js";
import { checkRange, MB, put, viewOf, type Into, type Source } from "./source.js";
import { cancelled, fail } from "./fail.js";
import { WeftError } from "../errors.js";

const keptBlocks = 16;
const aheadBlocks = 8; // asked for before they are needed, once the whole is to be read
const attempts = 4;
const patience = 60_000; // ms without a byte until a connection is given up

export class Remote implements Source {
  private blocks = new Map<number, Uint8Array | Promise<Uint8Array>>(); // the latest used last
  private head: Uint8Array[] = []; // without ranges: what came of the stream
  private headBytes = 0;
  private pumping: Promise<void> = Promise.resolve();
  private ahead = false;
  readonly ranged: boolean; // the server answers ranges

  private constructor(
    readonly target: Target,
    readonly name: string,
    readonly facts: Facts,
    private live: AsyncGenerator<Uint8Array> | undefined, // without ranges: the one stream
  ) {
    this.ranged = live === undefined;
  }

  // One request, for the first block.
  static async open(target: Target): Promise<Remote> {
    const { url } = target;
    const answer = await request(target, { from: 0, to: MB, attempts: 3 });
    let { facts } = answer;
    const name = baseName(url);
    if (!answer.ranged) return new Remote(target, name, facts, chunksOf(target, answer.response, patience));
    if (facts.size < 0) {
      // Content-Range hidden from other sites' pages, or "*": the length of the whole is never hidden.
      const whole = await request(target, { method: "HEAD" });
      facts = { ...facts, size: whole.facts.size };
      if (facts.size < 0)
        throw fail("io", url, "the size of the file", "a Content-Length or a Content-Range", "neither",
          "let the server send Access-Control-Expose-Headers: Content-Range, ETag");
    }
    const remote = new Remote(target, name, facts, undefined);
    const size = Math.min(MB, facts.size);
    let first: Answer | undefined = answer;
    remote.blocks.set(0, await retried(target, attempts, async () => {
      const body = first ?? await requestOnce(target, { from: 0, to: size });
      first = undefined;
      return bytesOf(target, body, size);
    }));
    return remote;
  }

  // What the server says of the file now, without its bytes; undefined if there is no answer in time.
  static async facts(target: Target, patienceMs: number): Promise<Facts | undefined> {
    const timeout = AbortSignal.timeout(patienceMs);
    const signal = target.signal ? AbortSignal.any([target.signal, timeout]) : timeout;
    for (const part of [{ method: "HEAD" }, { from: 0, to: 1 }] as const) { // not every server knows HEAD
      try {
        const { facts, response } = await request({ ...target, signal }, { ...part, attempts: 1 });
        void response.body?.cancel();
        return facts;
      } catch (e) {
        if (target.signal?.aborted) throw cancelled(target.url);
        if (WeftError.is(e, "cancelled")) return undefined;
      }
    }
    return undefined;
  }

  get size(): number {
    return this.facts.size;
  }

  read(offset: number, into: Into): true | Promise<void> {
    const length = viewOf(into).length;
    if (this.size >= 0) checkRange(this.name, offset, length, this.size);
    if (length === 0) return true;
    if (this.live) return this.readHead(offset, length, into);
    const first = Math.floor(offset / MB), last = Math.floor((offset + length - 1) / MB);
    this.want(first, last);
    const parts: (Uint8Array | Promise<Uint8Array>)[] = [];
    for (let k = first; k <= last; k++) parts.push(this.touch(k));
    this.forget();
    const copy = (blocks: Uint8Array[]) => {
      let at = 0;
      blocks.forEach((block, i) => {
        const from = i === 0 ? offset - first * MB : 0;
        const piece = block.subarray(from, Math.min(block.length, from + length - at));
        put(piece, into, at);
        at += piece.length;
      });
    };
    if (parts.every((part) => part instanceof Uint8Array)) {
      copy(parts);
      return true;
    }
    return Promise.all(parts).then(copy);
  }

  begin(): void {
    this.ahead = true;
  }

  close(): void {
    void this.live?.return(undefined);
    this.blocks.clear();
    this.head = [];
  }

  // The file's bytes from `from` on, for a download. Throws Transient where another attempt may help.
  async *stream(from: number): AsyncGenerator<Uint8Array> {
    await this.pumping.catch(() => {});
    const prefix = this.takePrefix();
    let at = 0;
    for (const piece of prefix) {
      if (at + piece.length > from) yield piece.subarray(Math.max(from - at, 0));
      at += piece.length;
    }
    at = Math.max(at, from);
    if (at === this.size) return;
    let skip = 0;
    let body = this.live;
    this.live = undefined;
    if (body) {
      skip = at - this.headBytes;
    } else {
      const answer = await requestOnce(this.target,
        at === 0 && !this.ranged ? {} : { from: at, ifRange: this.facts.revision });
      this.checkSame(answer.facts);
      if (!answer.ranged) skip = at;
      body = chunksOf(this.target, answer.response, patience);
    }
    for await (const chunk of body) {
      if (skip < chunk.length) yield skip === 0 ? chunk : chunk.subarray(skip);
      skip = Math.max(skip - chunk.length, 0);
    }
  }

  // The bytes from the start on that are here, which are then forgotten.
  private takePrefix(): Uint8Array[] {
    const out = this.head;
    for (let k = 0; this.blocks.get(k) instanceof Uint8Array; k++) out.push(this.blocks.get(k) as Uint8Array);
    this.head = [];
    this.blocks.clear();
    return out;
  }

  private checkSame(now: Facts): void {
    const { size, revision } = this.facts;
    if (!sameRevision(now.revision, revision) || (now.size >= 0 && size >= 0 && now.size !== size))
      throw fail("bad-file", this.target.url, "the file while it was read",
        `revision ${revision || "(none)"} of ${size} bytes`, `${now.revision || "(none)"} of ${now.size}`,
        "it was replaced on the server: load it again");
  }

  // Starts requests for the blocks that are not here, one for each gap.
  private want(first: number, last: number): void {
    const count = Math.ceil(this.size / MB);
    const end = this.ahead ? Math.min(last + aheadBlocks, count - 1) : last;
    for (let k = first; k <= end; k++) {
      if (this.blocks.has(k)) continue;
      let stop = k + 1;
      const cut = k > last ? end : last; // what is needed now does not wait for what is not
      while (stop <= cut && stop - k < aheadBlocks && !this.blocks.has(stop)) stop++;
      const run = this.fetchRun(k, stop);
      for (let i = k; i < stop; i++) {
        const from = (i - k) * MB;
        const block = run.then((bytes) => bytes.subarray(from, from + MB));
        block.then((bytes) => this.blocks.get(i) === block && this.blocks.set(i, bytes),
          () => this.blocks.get(i) === block && this.blocks.delete(i));
        this.blocks.set(i, block);
      }
      k = stop - 1;
    }
  }

  private async fetchRun(first: number, stop: number): Promise<Uint8Array> {
    const from = first * MB, to = Math.min(stop * MB, this.size);
    return retried(this.target, attempts, async () => {
      const answer = await requestOnce(this.target, { from, to, ifRange: this.facts.revision });
      this.checkSame(answer.facts);
      if (!answer.ranged)
        throw fail("io", this.target.url, "the range", `bytes ${from} to ${to}`, "the whole file",
          "the server stopped to answer ranges: load the model again");
      return bytesOf(this.target, answer, to - from);
    });
  }

  private touch(k: number): Uint8Array | Promise<Uint8Array> {
    const block = this.blocks.get(k)!;
    this.blocks.delete(k);
    this.blocks.set(k, block);
    return block;
  }

  private forget(): void {
    const spare = this.blocks.size - keptBlocks;
    for (const k of [...this.blocks.keys()].slice(0, Math.max(spare, 0))) this.blocks.delete(k);
  }

  private readHead(offset: number, length: number, into: Into): true | Promise<void> {
    if (offset + length <= this.headBytes) {
      this.copyHead(offset, length, into);
      return true;
    }
    this.pumping = this.pumping.catch(() => {}).then(() => this.pump(offset + length));
    return this.pumping.then(() => this.copyHead(offset, length, into));
  }

  private async pump(to: number): Promise<void> {
    while (this.headBytes < to && this.live) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await this.live.next();
      } catch (e) {
        throw e instanceof Transient ? e.error : e;
      }
      if (next.done)
        throw fail("io", this.target.url, "the download", `${this.size} bytes`, `${this.headBytes}`, "try again");
      this.head.push(next.value.slice()); // the chunk's buffer is used again
      this.headBytes += next.value.length;
    }
  }

  private copyHead(offset: number, length: number, into: Into): void {
    let at = 0, done = 0;
    for (const piece of this.head) {
      const from = offset + done - at;
      if (from < piece.length && done < length) {
        const part = piece.subarray(from, from + length - done);
        put(part, into, done);
        done += part.length;
      }
      at += piece.length;
    }
  }
}

async function bytesOf(target: Target, answer: Answer, size: number): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  let at = 0;
  for await (const chunk of chunksOf(target, answer.response, patience)) {
    if (at + chunk.length > size) throw fail("io", target.url, "the range", `${size} bytes`, "more");
    out.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size) throw new Transient(fail("io", target.url, "the range", `${size} bytes`, `${at}`, "try again"));
  return out;
}
