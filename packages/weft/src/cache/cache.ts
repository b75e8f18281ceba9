// The models that this origin keeps: engine.cache.
//
//   for (const { name, size, complete } of await cache.list()) …
//   await cache.delete(key);                      // or the URL: all revisions of it
//   const { where, bytes, free } = await cache.usage();
import { verified } from "./cached_source.js";
import { Entries, lockOf } from "./entries.js";
import { openFolder, type Folder } from "./folder.js";
import { tryHold } from "./locks.js";
import { roomNow } from "./room.js";
import { fail } from "../sources/fail.js";

export interface CacheEntry {
  key: string;
  name: string; // of the file
  url: string;
  revision: string; // ETag or Last-Modified
  size: number; // bytes of the whole model; -1 if not known yet
  loaded: number; // bytes of it that are here
  complete: boolean;
  sha256: string; // "" until it is complete
  created: Date;
  lastUsed: Date;
}

export interface CacheUsage {
  where: "opfs" | "memory"; // memory: nothing is kept
  reason: string; // why nothing is kept
  bytes: number; // of all entries
  entries: number;
  quota: number; // bytes that the origin may store at all; NaN if the browser does not tell
  free: number;
  persisted: boolean; // the browser will not remove them by itself
}

let folder: Promise<Folder> | undefined;

// The folder of this worker. Memory is not shared: every load gets its own, freed with it.
export function sharedFolder(): Promise<Folder> {
  return folder ??= openFolder();
}

export class ModelCache {
  async list(): Promise<CacheEntry[]> {
    const all = await (await entriesNow()).all();
    return [...all].map(([key, { name, url, revision, size, loaded, complete, sha256, created, used }]) => ({
      key, name, url, revision, size, loaded: complete ? size : loaded, complete, sha256: complete ? sha256 : "",
      created: new Date(created), lastUsed: new Date(used),
    })).sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
  }

  // By key or URL. Returns how many entries went. Fails with "io" for one that is in use or being downloaded.
  async delete(keyOrUrl: string): Promise<number> {
    const entries = await entriesNow();
    const keys = [...await entries.all()].filter(([key, { url }]) => key === keyOrUrl || url === keyOrUrl).map(([key]) => key);
    for (const key of keys) await removeUnused(entries, key);
    return keys.length;
  }

  // Everything, with what stopped removals and downloads left behind.
  async clear(): Promise<void> {
    const entries = await entriesNow();
    for (const key of (await entries.all()).keys()) await removeUnused(entries, key);
    for (const name of await entries.orphans()) await entries.folder.remove(name);
  }

  async usage(): Promise<CacheUsage> {
    const { folder, ...rest } = { folder: await sharedFolder(), ...await roomNow() };
    const list = await this.list();
    const storage = (globalThis.navigator as Navigator | undefined)?.storage;
    return {
      where: folder.where, reason: folder.reason, bytes: list.reduce((sum, entry) => sum + entry.loaded, 0),
      entries: list.length, ...rest, persisted: await storage?.persisted?.() ?? false,
    };
  }

  // Reads the model and compares its SHA-256. A damaged one is removed; the next load fetches it again.
  async verify(key: string, signal?: AbortSignal): Promise<boolean> {
    const entries = await entriesNow();
    const sidecar = await entries.whole(key);
    if (!sidecar) throw fail("not-found", key, "the cache's entry", "a whole model", "none");
    return verified(entries, key, sidecar, undefined, signal);
  }
}

async function entriesNow(): Promise<Entries> {
  return new Entries(await sharedFolder());
}

export async function removeUnused(entries: Entries, key: string): Promise<void> {
  const held = await tryHold(lockOf(key));
  if (!held)
    throw fail("io", key, "removal from the cache", "a model that is not being downloaded", "one that is",
      "stop the download first; it may run in another tab");
  try {
    await entries.remove(key);
  } finally {
    held.release();
  }
}
