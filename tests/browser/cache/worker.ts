// Runs in the tab's dedicated worker, where the engine would be: opens a model, reads it as the core does, and tells
// what came of it. Every message is {id, call, arguments}; answers {id, result | error} and {id, progress}.
import { openSources, type OpenedModel, type OpenOptions } from "../../../packages/weft/src/sources/open.js";
import { ModelCache } from "../../../packages/weft/src/cache/cache.js";
import { Sha256 } from "../../../packages/weft/src/cache/sha256.js";

const chunk = 4 << 20;
const opened = new Map<string, OpenedModel>();
const stops = new Map<string, AbortController>();
const cache = new ModelCache();

interface LoadOptions extends OpenOptions {
  as?: string; // keeps it open under this name
  hash?: boolean; // of what was read; default true
  shared?: boolean; // reads into shared memory
}

const calls = {
  async load(url: string, options: LoadOptions, told: (progress: unknown) => void) {
    const stop = new AbortController();
    stops.set(options.as ?? url, stop);
    const model = await openSources(url, { ...options, signal: stop.signal, onProgress: told });
    try {
      const out = { ...await readAll(model, options), where: model.where, reason: model.reason, from: model.from,
        name: model.name, keys: model.keys };
      await model.done;
      return out;
    } finally {
      if (options.as) opened.set(options.as, model);
      else await model.close();
    }
  },
  // Windows of a header as the core reads them, without the rest.
  async head(url: string, windows: number[]) {
    const model = await openSources(url);
    const source = model.sources.get(model.name)!;
    for (let have = 0, i = 0; i < windows.length; have = windows[i++]!)
      await source.read(have, new Uint8Array(windows[i]! - have));
    await model.close();
    return source.size;
  },
  async again(as: string) {
    return readAll(opened.get(as)!, {});
  },
  async shut(as: string) {
    await opened.get(as)?.close();
    opened.delete(as);
  },
  stop(as: string) {
    stops.get(as)?.abort();
  },
  // An OPFS handle opened twice, and a File: whether they read what was written, and without waiting.
  async local() {
    const data = Uint8Array.from({ length: 100_000 }, (_, i) => i % 241);
    const handle = await (await navigator.storage.getDirectory()).getFileHandle("own.gguf", { create: true });
    const file = await handle.createSyncAccessHandle();
    file.write(data);
    file.close();
    const models = [await openSources(handle), await openSources(handle), await openSources(await handle.getFile())];
    let sync = true;
    const [first, again, last] = await Promise.all(models.map(async (model) => {
      const into = new Uint8Array(data.length - 7);
      const done = model.sources.get("own.gguf")!.read(7, into);
      if (done !== true) await done;
      sync &&= done === true && model.where === "file";
      await model.close();
      return into.every((byte, i) => byte === data[i + 7]);
    }));
    return { handle: first, again, file: last, sync };
  },
  list: () => cache.list(),
  usage: () => cache.usage(),
  remove: (key: string) => cache.delete(key),
  clear: () => cache.clear(),
  verify: (key: string) => cache.verify(key),
  withoutOpfs() {
    delete (StorageManager.prototype as Partial<StorageManager>).getDirectory;
  },
  async files() {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("weft-models");
    const out: Record<string, number> = {};
    for await (const [name, handle] of (folder as unknown as { entries(): AsyncIterable<[string, FileSystemFileHandle]> }).entries())
      out[name] = (await handle.getFile()).size;
    return out;
  },
  // Damages a file of the cache: flips a byte, or cuts it.
  async damage(name: string, what: { flip?: number; size?: number }) {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("weft-models");
    const file = await (await folder.getFileHandle(name)).createSyncAccessHandle();
    const byte = new Uint8Array(1);
    if (what.flip !== undefined) {
      file.read(byte, { at: what.flip });
      byte[0]! ^= 1;
      file.write(byte, { at: what.flip });
    }
    if (what.size !== undefined) file.truncate(what.size);
    file.close();
  },
  // MB/s of reading all of an open model, in the core's chunks.
  async speed(as: string) {
    const source = [...opened.get(as)!.sources.values()][0]!;
    const into = new Uint8Array(chunk);
    const start = performance.now();
    for (let at = 0; at < source.size; at += chunk) {
      const done = source.read(at, into.subarray(0, Math.min(chunk, source.size - at)));
      if (done !== true) await done;
    }
    return source.size / 1e3 / (performance.now() - start);
  },
  hashSpeed() {
    const data = new Uint8Array(64 << 20), start = performance.now();
    new Sha256().update(data);
    return data.length / 1e3 / (performance.now() - start);
  },
};

async function readAll(model: OpenedModel, options: LoadOptions) {
  const sums: Record<string, string> = {};
  const buffer = options.shared ? new SharedArrayBuffer(chunk) : new ArrayBuffer(chunk);
  let sync = 0, reads = 0;
  for (const [name, source] of model.sources) {
    if (source.size > 0) await source.read(0, new Uint8Array(Math.min(1 << 20, source.size))); // the header
  }
  for (const source of model.sources.values()) await source.begin?.();
  for (const [name, source] of model.sources) {
    const hash = new Sha256();
    for (let at = 0; at < source.size; at += chunk) {
      const size = Math.min(chunk, source.size - at);
      const done = source.read(at, () => new Uint8Array(buffer, 0, size));
      reads++;
      if (done === true) sync++;
      else await done;
      if (options.hash !== false) hash.update(new Uint8Array(buffer, 0, size));
    }
    sums[name] = hash.hex();
  }
  return { sums, sum: sums[model.name]!, sync, reads };
}

type Call = (...values: unknown[]) => unknown;
addEventListener("message", async ({ data: { id, call, values } }: MessageEvent) => {
  try {
    const told = (progress: unknown) => postMessage({ id, progress });
    const result = await (calls as unknown as Record<string, Call>)[call]!(...values, told);
    postMessage({ id, result });
  } catch (e) {
    const { name, message, code, hint } = e as { name: string; message: string; code?: string; hint?: string };
    postMessage({ id, error: { name, message, code, hint } });
  }
});
