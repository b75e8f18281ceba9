// Whether a model has room in the origin's storage, and what to say if not.
//
//   await needRoom(entries, url, bytes);                       // or WeftError quota-exceeded with figures
//   const { persisted, reason } = await askPersistence();      // on the page: workers cannot ask
import type { Entries } from "./entries.js";
import { fail, wordsOf } from "../sources/fail.js";

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

export async function needRoom(entries: Entries, name: string, bytes: number): Promise<void> {
  if (entries.folder.where !== "opfs" || bytes <= 0) return;
  const { quota, free } = await roomNow();
  if (bytes + spare > free) throw await noRoom(entries, name, bytes + spare, free, quota);
}

// quota-exceeded, with what is missing and what could go.
export async function noRoom(entries: Entries, name: string, bytes: number, free: number, quota: number) {
  const others = [...(await entries.all()).values()].sort((a, b) => a.used - b.used);
  const listed = others.slice(0, 5).map((e) =>
    `${e.name} (${sizeText(e.complete ? e.size : e.loaded)}${e.complete ? "" : ", in part"}, ${ageText(e.used)})`);
  const more = others.length > 5 ? ` and ${others.length - 5} more` : "";
  const hint = others.length === 0
    ? "free space on the disk, allow the site more storage, or load without the cache ({ cache: false })"
    : `delete from the cache: ${listed.join(", ")}${more}; or load without the cache ({ cache: false })`;
  return fail("quota-exceeded", name, "room in the cache", sizeText(bytes),
    `${sizeText(free)} free of ${sizeText(quota)}: ${sizeText(Math.max(bytes - free, 0))} are missing`, hint);
}

export function sizeText(bytes: number): string {
  if (!Number.isFinite(bytes)) return "an unknown size";
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function ageText(used: number): string {
  const days = Math.floor((Date.now() - used) / 86_400_000);
  return days <= 0 ? "used today" : days === 1 ? "used yesterday" : `used ${days} days ago`;
}

export interface Persistence {
  persisted: boolean; // the browser will not remove the models by itself when the disk gets full
  reason: string; // why not
}

// Asks the browser to keep this origin's storage. Call it on the page, best after a click; some browsers ask the user.
export async function askPersistence(): Promise<Persistence> {
  const storage = (globalThis.navigator as Navigator | undefined)?.storage;
  try {
    if (await storage?.persisted?.()) return { persisted: true, reason: "" };
    if (typeof storage?.persist !== "function")
      return { persisted: false, reason: "only the page can ask for it, and not every browser lets it" };
    if (await storage.persist()) return { persisted: true, reason: "" };
    return { persisted: false, reason: "the browser declined: it grants this to installed, bookmarked or much-used sites" };
  } catch (e) {
    return { persisted: false, reason: wordsOf(e) };
  }
}
