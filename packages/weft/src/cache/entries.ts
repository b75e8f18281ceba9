// What the cache's folder holds. A model under the key K is two files: its data and a sidecar, a JSON that tells what
// the data is. While it is downloaded they are K.part and K.part.json (the journal: how much is surely there, and the
// hash's state up to there); then the data is flushed and renamed to K.data, and last of all the journal to K.json.
//
// The one rule: a model is whole if K.json is there, parses, and K.data has the size that it states. That rename is the
// commit: it happens at once or not at all, and after everything else. A tab killed before it leaves a journal, from which
// the download goes on (or, between the two renames, is finished); killed after it, a whole model. Sidecars are written
// by one write of whole 4 KB pages, flushed; one that does not parse counts as none. Where files cannot be renamed the
// data stays K.part (the sidecar names it) and K.json is written last instead.
import { Sha256 } from "./sha256.js";
import type { Folder, WritableFile } from "./folder.js";
import { WeftError } from "../errors.js";

export interface Sidecar {
  format: 1;
  url: string;
  name: string;
  revision: string; // ETag, or what stands for it
  size: number; // bytes; -1 as long as the server did not tell
  complete: boolean;
  sha256: string; // of the whole; of a part what was announced, or ""
  data: string; // name of the data file while it is complete and not renamed
  loaded: number; // bytes that are in the data file for sure; the file itself has its full size from the beginning
  hash: string; // the hash's state after them
  clean: boolean; // the download was stopped in good order, not killed
  created: number; // ms since 1970
  used: number;
}

export function keyOf(url: string, revision: string): string {
  return `${urlKey(url)}-${textHash(revision)}`;
}
function urlKey(url: string): string {
  return textHash(url);
}
function textHash(text: string): string {
  return Sha256.hex(new TextEncoder().encode(text)).slice(0, 20);
}

export function lockOf(key: string): string {
  return `weft-cache:${key}`;
}

const page = 4096;

export function writeSidecar(file: WritableFile, sidecar: Sidecar): void {
  const text = new TextEncoder().encode(JSON.stringify(sidecar));
  const pages = new Uint8Array(Math.ceil(text.length / page) * page).fill(0x20);
  pages.set(text);
  file.write(0, pages);
  if (file.size() !== pages.length) file.truncate(pages.length);
  file.flush();
}

export class Entries {
  constructor(readonly folder: Folder) {}

  // Every entry, whole or part, with its key. Damaged ones are left out.
  async all(): Promise<Map<string, Sidecar>> {
    const out = new Map<string, Sidecar>();
    const names = await this.folder.names();
    for (const name of names.sort()) {
      const key = /^([0-9a-f-]+)(\.part)?\.json$/.exec(name)?.[1];
      const sidecar = key && !out.get(key)?.complete ? await this.read(name) : undefined;
      if (key && sidecar) out.set(key, { ...sidecar, complete: sidecar.complete && !name.endsWith(".part.json") });
    }
    return out;
  }

  async ofUrl(url: string): Promise<Map<string, Sidecar>> {
    return new Map([...await this.all()].filter(([key]) => key.startsWith(`${urlKey(url)}-`)));
  }

  // The whole model of this key, if there is one.
  async whole(key: string): Promise<Sidecar | undefined> {
    const sidecar = await this.read(`${key}.json`);
    return sidecar?.complete && await this.folder.size(sidecar.data) === sidecar.size ? sidecar : undefined;
  }

  // The same, or the part that is there; whatever is damaged is removed, what lacks only its last rename gets it.
  // For the holder of the key's lock.
  async settled(key: string): Promise<Sidecar | undefined> {
    const whole = await this.whole(key);
    if (whole) return whole;
    const journal = await this.read(`${key}.part.json`);
    if (journal?.complete) {
      for (const data of [`${key}.data`, `${key}.part`])
        if (await this.folder.size(data) === journal.size) return this.commit(key, journal);
    }
    const size = await this.folder.size(`${key}.part`);
    if (journal && !journal.complete && size !== undefined && size >= journal.loaded) return journal;
    await this.remove(key);
    return undefined;
  }

  // Makes the part a whole model; its files are flushed and closed.
  async commit(key: string, journal: Sidecar): Promise<Sidecar> {
    const { folder } = this;
    let data = `${key}.data`;
    const renamed = await folder.size(data) === journal.size || await folder.rename(`${key}.part`, data);
    if (!renamed) data = `${key}.part`;
    const sidecar = { ...journal, data };
    if (data !== journal.data) await this.write(`${key}.part.json`, sidecar);
    if (!await folder.rename(`${key}.part.json`, `${key}.json`)) {
      await this.write(`${key}.json`, sidecar);
      await folder.remove(`${key}.part.json`);
    }
    return sidecar;
  }

  // The data first: it cannot go while it is in use, and a sidecar without data counts as nothing.
  async remove(key: string): Promise<void> {
    for (const end of ["data", "part", "json", "part.json"]) await this.folder.remove(`${key}.${end}`);
  }

  // Files that belong to no entry: left by a removal that was stopped.
  async orphans(): Promise<string[]> {
    const known = await this.all();
    return (await this.folder.names()).filter((name) => !known.has(name.replace(/\..*$/, "")));
  }

  async used(key: string, now: number): Promise<void> {
    const sidecar = await this.read(`${key}.json`);
    if (!sidecar) return;
    try {
      await this.write(`${key}.json`, { ...sidecar, used: now });
    } catch (e) {
      if (!WeftError.is(e, "io")) throw e; // another tab writes the same
    }
  }

  async write(name: string, sidecar: Sidecar): Promise<void> {
    const file = await this.folder.writer(name);
    try {
      writeSidecar(file, sidecar);
    } finally {
      file.close();
    }
  }

  private async read(name: string): Promise<Sidecar | undefined> {
    try {
      const source = await this.folder.reader(name);
      try {
        const bytes = new Uint8Array(source.size);
        await source.read(0, bytes);
        const value = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Sidecar>;
        const sound = value.format === 1 && typeof value.url === "string" && typeof value.size === "number" &&
          typeof value.loaded === "number" && typeof value.data === "string" && typeof value.hash === "string";
        return sound ? value as Sidecar : undefined;
      } finally {
        await source.close();
      }
    } catch (e) {
      if (WeftError.is(e) || e instanceof SyntaxError) return undefined;
      throw e;
    }
  }
}
