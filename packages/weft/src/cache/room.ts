// Whether a model has room in the origin's storage, and what to say if not.
//
//   await needRoom(entries, url, bytes);                       // or WeftError quota-exceeded with figures
//   await reserve(entries, url, file, bytes);                  // the same, for sure
import { WeftError } from "../errors.js";
import type { Entries } from "./entries.js";
import type { WritableFile } from "./folder.js";
import { fail } from "../sources/fail.js";
import { MB } from "../sources/source.js";

const spare = 4 << 20; // sidecars, and what the browser counts beside the bytes

export interface Room {
  quota: number; // bytes that this origin may store; NaN if the browser does not tell
  free: number;
}

export async function roomNow(): Promise<Room> {
  const storage = (globalThis.navigator as Navigator | undefined)?.storage;
  if (typeof storage?.estimate !== "function") return { quota: NaN, free: NaN };
  const { quota = NaN, usage = 0 } = await storage.estimate();
  return { quota, free: Math.max(quota - usage, 0) };
}

// By the browser's estimate. Chromium's is coarse (usage + 10 GB), so files are given their full size at once, too.
export async function needRoom(entries: Entries, name: string, bytes: number): Promise<void> {
  if (entries.folder.where !== "opfs" || bytes <= 0) return;
  const { free } = await roomNow();
  if (bytes + spare > free) throw await noRoom(entries, name, bytes + spare, free);
}

// Gives a file its full size, or tells how much of it there is room for.
export async function reserve(entries: Entries, name: string, file: WritableFile, size: number): Promise<void> {
  const start = file.size();
  if (size <= start) return;
  const fits = (bytes: number) => {
    try {
      file.truncate(bytes);
      return true;
    } catch (e) {
      if (!WeftError.is(e, "quota-exceeded")) throw e;
      return false;
    }
  };
  if (fits(size)) return;
  let low = start, high = size;
  while (high - low > MB) {
    const middle = low + Math.floor((high - low) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  file.truncate(start);
  throw await noRoom(entries, name, size - start, low - start);
}

// quota-exceeded, with what is missing and what could go. free: NaN if nobody knows.
export async function noRoom(entries: Entries, name: string, bytes: number, free: number): Promise<WeftError> {
  const others = [...(await entries.all()).values()].filter((e) => e.complete || e.loaded > 0);
  const listed = others.sort((a, b) => a.used - b.used).slice(0, 5).map((e) =>
    `${e.name} (${sizeText(e.complete ? e.size : e.loaded)}${e.complete ? "" : ", in part"}, ${ageText(e.used)})`);
  const more = others.length > 5 ? ` and ${others.length - 5} more` : "";
  const hint = others.length === 0
    ? "free space on the disk, allow the site more storage, or load without the cache ({ cache: false })"
    : `delete from the cache: ${listed.join(", ")}${more}; or load without the cache ({ cache: false })`;
  const found = Number.isNaN(free) ? "less" : `${sizeText(free)}: ${sizeText(Math.max(bytes - free, 0))} are missing`;
  return fail("quota-exceeded", name, "room in the cache", sizeText(bytes), found, hint);
}

export function sizeText(bytes: number): string {
  if (!Number.isFinite(bytes)) return "an unknown size";
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function ageText(used: number): string {
  const days = Math.floor((Date.now() - used) / 86_400_000);
  return days <= 0 ? "used today" : days === 1 ? "used yesterday" : `used ${days} days ago`;
}
