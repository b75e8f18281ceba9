// The commit rule, by stopping the cache before every one of its steps: whatever was the last step that happened, what
// is found afterwards is the whole model, a part that is right, or nothing.
import { describe, expect, test } from "vitest";
import { Entries, keyOf, type Sidecar } from "../../src/cache/entries.js";
import { MemoryFolder, type Folder, type WritableFile } from "../../src/cache/folder.js";
import { Sha256 } from "../../src/cache/sha256.js";
import { noRoom } from "../../src/cache/room.js";

const data = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
const key = keyOf("https://a.example/m.gguf", '"1"');
const sum = Sha256.hex(data);

class Killed extends Error {}

// A folder that dies before its nth change. renames: whether it can rename files.
function dying(inner: Folder, steps: number, renames = true): Folder {
  let left = steps;
  const step = () => {
    if (left-- <= 0) throw new Killed();
  };
  return {
    where: "opfs",
    reason: "",
    names: () => inner.names(),
    size: (name) => inner.size(name),
    reader: (name) => inner.reader(name),
    async writer(name): Promise<WritableFile> {
      step();
      const file = await inner.writer(name);
      return {
        size: () => file.size(),
        read: (offset, into) => file.read(offset, into),
        write: (offset, bytes) => (step(), file.write(offset, bytes)),
        truncate: (size) => (step(), file.truncate(size)),
        flush: () => file.flush(),
        close: () => file.close(),
      };
    },
    async rename(from, to) {
      if (!renames) return false;
      step();
      return inner.rename(from, to);
    },
    remove: async (name) => (step(), inner.remove(name)),
  };
}

function journal(loaded: number, complete: boolean): Sidecar {
  return {
    format: 1, url: "https://a.example/m.gguf", name: "m.gguf", revision: '"1"', size: data.length, complete, sha256: complete ? sum : "",
    data: `${key}.part`, loaded, hash: new Sha256().update(data.subarray(0, loaded)).state(), clean: true, created: 1, used: 1,
  };
}

async function downloaded(folder: Folder): Promise<void> {
  const entries = new Entries(folder);
  await entries.write(`${key}.part.json`, journal(0, false));
  const file = await folder.writer(`${key}.part`);
  file.truncate(data.length);
  file.write(0, data.subarray(0, 6000));
  await entries.write(`${key}.part.json`, journal(6000, false));
  file.write(6000, data.subarray(6000));
  await entries.write(`${key}.part.json`, journal(data.length, true));
  await entries.commit(key, journal(data.length, true));
}

async function check(folder: Folder): Promise<"whole" | "part" | "none"> {
  const entries = new Entries(folder);
  const found = await entries.settled(key);
  if (!found) {
    expect(await folder.names()).toEqual([]);
    return "none";
  }
  const source = await folder.reader(found.complete ? found.data : `${key}.part`);
  const bytes = new Uint8Array(found.complete ? source.size : found.loaded);
  await source.read(0, bytes);
  expect(bytes).toEqual(data.subarray(0, bytes.length));
  if (found.complete) {
    expect(bytes.length).toBe(data.length);
    expect(await entries.whole(key)).toEqual(found);
    expect((await entries.all()).get(key)).toEqual(found);
    expect(await entries.orphans()).toEqual([]);
  } else {
    expect(found.hash).toBe(new Sha256().update(bytes).state());
  }
  return found.complete ? "whole" : "part";
}

describe.each([["with", true], ["without", false]] as const)("%s renames", (_, renames) => {
  test("a download that dies at any step leaves what is right", async () => {
    const seen: string[] = [];
    for (let steps = 0; ; steps++) {
      const disk = new MemoryFolder("test");
      const ended = await downloaded(dying(disk, steps, renames)).then(() => true, (e: unknown) => {
        if (!(e instanceof Killed)) throw e;
        return false;
      });
      seen.push(await check(dying(disk, Infinity, renames)));
      if (ended) break;
    }
    expect(seen[0]).toBe("none");
    expect(seen).toContain("part");
    expect(seen.filter((state) => state === "whole").length).toBeGreaterThan(1); // also where the last steps lack
    expect(seen.at(-1)).toBe("whole");
  });

  test("a removal that dies at any step leaves the whole or nothing", async () => {
    for (let steps = 0; steps < 4; steps++) {
      const disk = new MemoryFolder("test");
      await downloaded(dying(disk, Infinity, renames));
      await expect(new Entries(dying(disk, steps)).remove(key)).rejects.toThrow(Killed);
      expect(await check(disk)).toBe(steps === 0 || (!renames && steps === 1) ? "whole" : "none");
    }
  });
});

test("data of a wrong size or a sidecar that does not parse count as nothing", async () => {
  for (const damage of ["data", "json"]) {
    const disk = new MemoryFolder("test");
    await downloaded(disk);
    (await disk.writer(`${key}.${damage}`)).truncate(77);
    expect(await new Entries(disk).whole(key)).toBeUndefined();
    expect(await check(disk)).toBe("none");
  }
});

test("the error of no room tells what lacks and what could go, the longest unused first", async () => {
  const disk = new MemoryFolder("test");
  const entries = new Entries(disk);
  for (const [i, name] of ["new.gguf", "old.gguf"].entries()) {
    const used = Date.now() - i * 3 * 86_400_000;
    await entries.write(`${keyOf(name, "")}.json`, { ...journal(data.length, true), name, size: 5e8, used });
  }
  const error = await noRoom(entries, "big.gguf", 2.5e9, 1e9);
  expect(error.code).toBe("quota-exceeded");
  expect(error.message).toBe("big.gguf: room in the cache: expected 2.50 GB, found 1.00 GB: 1.50 GB are missing");
  expect(error.hint).toMatch(/^delete from the cache: old\.gguf \(500\.0 MB, used 3 days ago\), new\.gguf \(500\.0 MB, used today\);/);
});
