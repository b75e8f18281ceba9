// Requests for parts of a file, and what their answers say about it: size, revision, whether ranges work.
//
//   const answer = await request({ url }, { from: 0, to: MB });       // retried where that helps; errors are WeftErrors
//   answer.facts.size, answer.facts.revision, answer.ranged, answer.response.body
//
// Answers are not to enter the browser's own HTTP cache (no-store): a model would lie on the disk twice.
import { cancelled, fail, isAbort, wordsOf } from "./fail.js";
import type { WeftError } from "../errors.js";

const chunkBytes = 256 << 10;

export interface Target {
  url: string;
  headers?: Record<string, string> | undefined; // e.g. Authorization
  signal?: AbortSignal | undefined;
}

export interface Facts {
  size: number; // bytes of the whole file; -1 if the server does not tell
  revision: string; // ETag, else Last-Modified, else ""
  sha256: string; // of the content as announced by the server, else ""
}

export interface Answer {
  response: Response;
  ranged: boolean; // the body is the range asked for, not the whole
  facts: Facts;
}

export interface Part {
  method?: "GET" | "HEAD";
  from?: number;
  to?: number; // exclusive; none: to the end
  ifRange?: string; // a revision: the server is to send the whole file if it is not this one any more
  attempts?: number;
}

// Whether two answers are about the same content. Servers that compress change the ETag a little with it: W/"x", "x-gzip".
export function sameRevision(a: string, b: string): boolean {
  const plain = (revision: string) => revision.replace(/^W\//, "").replace(/-(gzip|br|zstd)"$/, '"');
  return a === "" || b === "" || plain(a) === plain(b);
}

// What may go away by itself: no connection, an overloaded server.
export class Transient {
  constructor(readonly error: WeftError, readonly after = 0) {}
}

export async function request(target: Target, part: Part = {}): Promise<Answer> {
  return retried(target, part.attempts ?? 4, () => requestOnce(target, part));
}

// Runs an attempt again, later and later, while it throws Transient. `attempt` may call `progress` to start counting anew.
export async function retried<T>(
  target: Target, attempts: number, attempt: (progress: () => void) => Promise<T>,
): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (e) {
      if (isAbort(e, target.signal)) throw cancelled(target.url);
      if (!(e instanceof Transient)) throw e;
      if (++failures >= attempts) throw e.error;
      await pause(Math.max(250 * 2 ** failures, e.after), target);
    }
  }
}

// Throws Transient where another attempt may help.
export async function requestOnce(target: Target, part: Part): Promise<Answer> {
  const { url, signal } = target;
  const headers = new Headers(target.headers);
  if (part.from !== undefined)
    headers.set("Range", `bytes=${part.from}-${part.to === undefined ? "" : part.to - 1}`);
  if (part.ifRange && mayAskIfRange(url, part.ifRange)) headers.set("If-Range", part.ifRange);
  let response: Response;
  try {
    response = await fetch(url, { method: part.method ?? "GET", headers, signal: signal ?? null, cache: "no-store" });
  } catch (e) {
    if (isAbort(e, signal)) throw cancelled(url);
    throw new Transient(fail("io", url, "the request", "an answer", wordsOf(e),
      "check the connection and the address; another site's server must allow this page (CORS: Access-Control-Allow-Origin)"));
  }
  try {
    checkStatus(url, response);
    const ranged = response.status === 206;
    const facts = factsOf(response);
    if (ranged) checkRangeOf(url, response, part.from ?? 0);
    return { response, ranged, facts };
  } catch (e) {
    void response.body?.cancel().catch(() => {});
    throw e;
  }
}

function checkStatus(url: string, response: Response): void {
  const { status } = response;
  const found = `HTTP ${status}${response.statusText ? " " + response.statusText : ""}`;
  if (status === 404 || status === 410) throw fail("not-found", url, "the request", "a file", found);
  if (status === 401 || status === 403)
    throw fail("io", url, "the request", "a file", found, "the file is private or gated: pass headers with an access token");
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const after = Number(response.headers.get("Retry-After")) * 1000;
    throw new Transient(fail("io", url, "the request", "a file", found, "the server is busy or broken: try again later"),
      after > 0 ? Math.min(after, 30_000) : 0);
  }
  if (status === 416) throw fail("bad-file", url, "the file", "some bytes", `${found}: it is shorter than the range`);
  if (status !== 200 && status !== 206) throw fail("io", url, "the request", "a file", found);
  const type = response.headers.get("Content-Type") ?? "";
  if (/^(text\/html|application\/xhtml)/i.test(type))
    throw fail("bad-file", url, "the answer", "a model file", `a web page (${type})`,
      "the address is that of a page about the file, or of a site that answers every address with its start page; " +
      "use the address of the file itself (on Hugging Face …/resolve/main/file.gguf)");
}

function factsOf(response: Response): Facts {
  const header = (name: string) => response.headers.get(name) ?? "";
  const total = /\/(\d+)\s*$/.exec(header("Content-Range"))?.[1];
  // The length of a compressed body is not that of the file.
  const plain = !header("Content-Encoding") || header("Content-Encoding") === "identity";
  const length = response.status === 200 && plain ? header("Content-Length") : "";
  const size = total ?? (header("X-Linked-Size") || length);
  const linked = header("X-Linked-ETag").replace(/^(W\/)?"|"$/g, "");
  return {
    size: size === "" ? -1 : Number(size),
    revision: header("X-Linked-ETag") || header("ETag") || header("Last-Modified"),
    sha256: /^[0-9a-f]{64}$/.test(linked) ? linked : "", // the hub's ETag of large files is their SHA-256
  };
}

function checkRangeOf(url: string, response: Response, from: number): void {
  const start = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1];
  if (start !== undefined && Number(start) !== from)
    throw fail("io", url, "the range", `to start at ${from}`, start, "the server, or a proxy before it, mixes up ranges");
}

// If-Range makes browsers ask other sites for leave first, which few give; the answer's revision is compared anyway.
function mayAskIfRange(url: string, revision: string): boolean {
  if (revision.startsWith("W/")) return false;
  const here = (globalThis as { location?: Location }).location;
  return here === undefined || new URL(url).origin === here.origin;
}

export function pause(ms: number, { url, signal }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(cancelled(url)));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", stop), resolve()), ms);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

// The chunks of a body, each to be used before the next is asked for. One that stalls for `patience` ms or breaks off
// throws Transient.
export async function* chunksOf(target: Target, response: Response, patience: number): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const reader = readerOf(response.body);
  let stalled = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      timer = setTimeout(() => ((stalled = true), void reader.cancel().catch(() => {})), patience);
      const { done, value } = await reader.next();
      clearTimeout(timer);
      if (target.signal?.aborted) throw cancelled(target.url);
      if (stalled) throw new Transient(fail("io", target.url, "the download", "bytes", `none for ${patience / 1000} s`));
      if (done || !value) return;
      yield value;
    }
  } catch (e) {
    if (isAbort(e, target.signal)) throw cancelled(target.url);
    if (e instanceof Transient) throw e;
    throw new Transient(fail("io", target.url, "the download", "more bytes", wordsOf(e), "check the connection"));
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}

interface ChunkReader {
  next(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

// Where bodies are byte streams all chunks come in one buffer that goes to and fro: a download leaves no garbage.
function readerOf(body: ReadableStream<Uint8Array>): ChunkReader {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    const plain = body.getReader();
    return { next: () => plain.read(), cancel: () => plain.cancel() };
  }
  let buffer = new ArrayBuffer(chunkBytes);
  const next = async () => {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (value) buffer = value.buffer as ArrayBuffer;
    return { done, value };
  };
  return { next, cancel: () => reader.cancel() };
}
