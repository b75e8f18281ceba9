// From what a caller names a model by to open sources: a URL, a Hugging Face name, a File, a handle, a path in Node.
//
//   const model = await openSources("owner/repo/model.gguf", { signal, onProgress });
//   await load(model.name, model.sources);          // calls begin() of each once it is sure that the model fits
//   await model.done;                               // later: all is in the cache
//   await model.close();                            // a download that still runs goes on to its end; stop() ends it
//
// All parts of a split model are opened, under their names, because the core opens them by name without waiting.
import { WeftError } from "../errors.js";
import { CachedSource, verified } from "../cache/cached_source.js";
import { Entries, keyOf, type Sidecar } from "../cache/entries.js";
import { MemoryFolder, type Folder } from "../cache/folder.js";
import { removeUnused, sharedFolder } from "../cache/cache.js";
import { needRoom } from "../cache/room.js";
import { BlobSource } from "./blob.js";
import { cancelled, fail, isAbort, wordsOf } from "./fail.js";
import { openHandle } from "./handle.js";
import { baseName, locate, partNames, type LocateOptions } from "./names.js";
import { NodeFileSource, nodeFs } from "./node_file.js";
import { ProgressMeter } from "./progress.js";
import { Remote } from "./remote.js";
import { sameRevision, type Facts, type Target } from "./http.js";
import type { Into, Progress, Source } from "./source.js";

/** What a model can be loaded from. A list: the files of a split model. */
export type ModelLocation = string | URL | Blob | FileSystemFileHandle | (Blob | FileSystemFileHandle)[];

export interface OpenOptions extends LocateOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  cache?: boolean | undefined; // false: read from the server, keep nothing
  verify?: boolean | undefined; // hash what the cache has before it is used
  sha256?: string | undefined; // what the file's hash has to be, where the server does not tell it
  headers?: Record<string, string> | undefined; // of requests, e.g. { Authorization: "Bearer …" }
}

export interface OpenedModel {
  name: string; // of the source that the core is to load
  sources: Map<string, Source>;
  // Where the bytes are, or will be: opfs and memory while and after a download; file: nothing is copied; network:
  // ranges from the server, nothing is kept.
  where: "opfs" | "memory" | "file" | "network";
  reason: string; // why it is not opfs, in words, or ""
  from: "cache" | "network" | "file"; // whether there is anything to download
  keys: string[]; // of the cache's entries
  done: Promise<void>; // every byte is where it will stay; rejects if the download fails or is stopped
  stop(): void; // ends a download; its part stays for the next time
  close(): Promise<void>; // ends reading
}

export async function openSources(what: ModelLocation, options: OpenOptions = {}): Promise<OpenedModel> {
  try {
    options.signal?.throwIfAborted();
    return await openAny(what, options);
  } catch (e) {
    throw isAbort(e, options.signal) ? cancelled("load") : WeftError.from(e, "io", "load");
  }
}

async function openAny(what: ModelLocation, options: OpenOptions): Promise<OpenedModel> {
  if (Array.isArray(what)) return opened(await Promise.all(what.map(openLocal)), "file");
  if (typeof what !== "string" && !(what instanceof URL)) return opened([await openLocal(what)], "file");
  const fs = nodeFs();
  if (fs && typeof what === "string" && fs.existsSync(what)) return openPaths(what);
  const place = locate(String(what), options);
  if ("path" in place) return openPaths(place.path);
  if (/^(blob|data):/i.test(place.url)) return opened([await openInline(place.url, options.signal)], "file");
  return openUrls(partNames(place.url), options);
}

function openLocal(what: Blob | FileSystemFileHandle): Promise<Source> | Source {
  if (what instanceof Blob) return new BlobSource(what);
  if (typeof what?.getFile === "function") return openHandle(what);
  throw fail("invalid-argument", "load", "the model", "an address, a File, Blob or file handle", typeof what);
}

// What the page has already is not kept a second time.
async function openInline(url: string, signal?: AbortSignal): Promise<Source> {
  try {
    return new BlobSource(await (await fetch(url, { signal: signal ?? null })).blob(), baseName(url));
  } catch (e) {
    if (isAbort(e, signal)) throw e;
    throw fail("not-found", url.slice(0, 80), "the address", "a blob that was not revoked, or data", wordsOf(e));
  }
}

function openPaths(path: string): OpenedModel {
  const fs = nodeFs();
  if (!fs) throw fail("invalid-argument", path, "the model", "an http(s) address, a File or owner/repo/file.gguf", "a path");
  const parts = partNames(path);
  const sources = parts.map((part) => new NodeFileSource(fs, part, parts.length > 1 ? baseName(part) : part));
  return opened(sources, "file");
}

function opened(sources: Source[], where: OpenedModel["where"], more: Partial<OpenedModel> = {}): OpenedModel {
  const byName = new Map(sources.map((source) => [source.name, source]));
  if (byName.size === 0) throw fail("invalid-argument", "load", "the files of the model", "at least one", "none");
  if (byName.size < sources.length)
    throw fail("invalid-argument", "load", "the files of the model", "a name each", "two of one name");
  const close = async () => {
    for (const source of sources) await source.close();
  };
  const name = [...byName.keys()].sort()[0]!;
  return { name, sources: byName, where, reason: "", from: "file", keys: [], done: Promise.resolve(), stop() {}, close, ...more };
}

// The files of one model, downloaded one after the other in the order in which they are read.
async function openUrls(urls: string[], options: OpenOptions): Promise<OpenedModel> {
  const stopper = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopper.signal]) : stopper.signal;
  const meter = new ProgressMeter(options.onProgress);
  const stop = () => stopper.abort();
  const targets = urls.map((url): Target => ({ url, headers: options.headers, signal }));
  if (options.cache === false) {
    const sources = await Promise.all(targets.map((target) => Remote.open(target)));
    const whole = sources.filter((source) => !source.ranged).length;
    const reason = whole === 0 ? "the cache was declined"
      : "the cache was declined, and the server answers no ranges: what is read stays in memory";
    return opened(sources, whole === 0 ? "network" : "memory", { reason, from: "network", stop });
  }
  const shared = await sharedFolder();
  const folder: Folder = shared.where === "opfs" ? shared : new MemoryFolder(shared.reason);
  const entries = new Entries(folder);
  const files = await Promise.all(targets.map((target) => openCached(entries, target, meter, options)));
  const missing = files.filter((file) => file instanceof CachedSource);
  const loading = new Loading(entries, missing, meter, signal);
  const sources = files.map((file) => file instanceof CachedSource ? loading.started(file) : file.source);
  if (missing.some((file) => file.size < 0)) {
    await loading.begin(); // there is no way to know the size but to load it
    await loading.done;
  }
  const keys = files.map((file) => file.key);
  const from = missing.length === 0 ? "cache" : "network";
  if (missing.length === 0) meter.tell();
  return opened(sources, folder.where, { reason: folder.reason, from, keys, done: loading.done, stop });
}

interface Kept {
  key: string;
  source: Source;
}

const patienceForKept = 4000; // ms that a server gets to say that there is a newer revision

async function openCached(entries: Entries, target: Target, meter: ProgressMeter, options: OpenOptions): Promise<CachedSource | Kept> {
  const { url } = target;
  for (const [key, sidecar] of await entries.ofUrl(url)) {
    if (!sidecar.complete || !await entries.whole(key)) continue;
    const now = await Remote.facts(target, patienceForKept);
    if (now && !sameFile(now, sidecar)) break;
    meter.part(sidecar.name, sidecar.size, 0, "cache");
    const sound = (!options.sha256 || options.sha256 === sidecar.sha256) &&
      (!options.verify || await verified(entries, key, sidecar, meter, target.signal));
    if (!sound) break;
    meter.part(sidecar.name, sidecar.size, sidecar.size, "cache");
    await entries.used(key, Date.now());
    const source = await entries.folder.reader(sidecar.data);
    return { key, source: renamed(source, sidecar.name) };
  }
  const remote = await Remote.open(target);
  meter.part(remote.name, remote.size, 0, "network");
  const key = keyOf(url, remote.facts.revision || `size ${remote.size}`);
  return new CachedSource(entries, key, remote, (options.sha256 ?? remote.facts.sha256).toLowerCase(), meter);
}

function sameFile(now: Facts, kept: Sidecar): boolean {
  if (now.size >= 0 && now.size !== kept.size) return false;
  return sameRevision(now.revision, kept.revision);
}

function renamed(source: Source, name: string): Source {
  return { name, size: source.size, read: (offset, into) => source.read(offset, into), close: () => source.close() };
}

// The downloads of one load: room is asked for once for all, before the first byte.
class Loading {
  readonly done: Promise<void>;
  private end!: { resolve(): void; reject(error: unknown): void };
  private beginning: Promise<void> | undefined;

  constructor(
    private readonly entries: Entries,
    private readonly files: CachedSource[],
    private readonly meter: ProgressMeter,
    private readonly signal: AbortSignal,
  ) {
    this.done = new Promise((resolve, reject) => (this.end = { resolve, reject }));
    this.done.catch(() => {}); // whoever does not wait for it hears of errors by reading
    if (files.length === 0) this.end.resolve();
  }

  started(file: CachedSource): Source {
    return {
      get name() {
        return file.name;
      },
      get size() {
        return file.size;
      },
      read: (offset: number, into: Into) => file.read(offset, into),
      begin: () => this.begin(),
      close: () => file.close(),
    };
  }

  begin(): Promise<void> {
    return this.beginning ??= this.start();
  }

  private async start(): Promise<void> {
    try {
      let bytes = 0;
      for (const file of this.files) bytes += await file.missing();
      const room = async () => {
        await needRoom(this.entries, this.files[0]!.url, bytes);
        for (const file of this.files) await file.reserve();
      };
      await room().catch(() => this.removeOutdated().then(room));
    } catch (e) {
      await this.release();
      this.end.reject(e);
      throw e;
    }
    for (const file of this.files) file.begin();
    this.fetchAll().then(this.end.resolve, this.end.reject);
  }

  private async fetchAll(): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (const file of this.files) {
      if (failure) file.fail(failure.error);
      else await file.fetchAll(this.signal).catch((error: unknown) => (failure = { error }));
    }
    this.meter.tell();
    if (failure) {
      await this.release();
      throw failure.error;
    }
    await this.removeOutdated();
  }

  private async release(): Promise<void> {
    if (this.entries.folder.where !== "opfs") return;
    for (const file of this.files) await file.release().catch(() => {}); // the error that led here says more
  }

  // Other revisions of the same files: nobody can ask for them any more.
  private async removeOutdated(): Promise<void> {
    for (const file of this.files) {
      for (const key of (await this.entries.ofUrl(file.url)).keys())
        if (key !== file.key) await removeUnused(this.entries, key).catch(() => {}); // in use: a later load does it
    }
  }
}
