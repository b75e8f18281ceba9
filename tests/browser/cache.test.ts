// The cache's stories in a real browser: cold and warm, killed tabs, damaged files, two tabs, no quota, no storage, bad
// servers. Figures: WEFT_CACHE_BENCH=1 (500 MB, WEFT_PROFILE_ROOT: the disk to measure).
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { FileServer, sumOf, type Served } from "./cache/file_server.js";
import { Browser, type Tab } from "./cache/tab.js";

const MB = 1 << 20;
let server: FileServer;
let browser: Browser;
let tab: Tab;
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

beforeAll(async () => {
  server = await FileServer.start();
  browser = await Browser.start();
}, 60_000);
afterAll(async () => {
  await browser?.stop();
  server?.stop();
});
beforeEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close();
  tab = await browser.tab(server.origin);
  await tab.call("clear");
  server.asked = [];
});

function serve(name: string, more: Partial<Served> = {}): { url: string; file: Served; sum: string } {
  const url = server.serve(name, { size: 9 * MB + 12_345, ...more });
  const file = server.files.get(name)!;
  return { url, file, sum: sumOf(file) };
}

describe("a model from the network", () => {
  test("is kept: the second load asks the server only whether it changed", async () => {
    const { url, file, sum } = serve("cold.gguf");
    const cold = await tab.load(url);
    expect(cold).toMatchObject({ sum, where: "opfs", from: "network", name: "cold.gguf" });
    expect(cold.told.at(-1)).toMatchObject({ loaded: file.size, total: file.size, secondsLeft: 0, from: "network" });
    // The first block, then the rest: no byte twice.
    expect(server.sent("cold.gguf")).toBe(file.size);
    expect(server.of("cold.gguf").length).toBe(2);

    server.asked = [];
    const warm = await tab.load(url);
    expect(warm).toMatchObject({ sum, where: "opfs", from: "cache", sync: warm.reads });
    expect(server.asked).toMatchObject([{ method: "HEAD", path: "/files/cold.gguf" }]);
    const [entry] = await tab.call<[{ sha256: string; complete: boolean; size: number; key: string }]>("list");
    expect(entry).toMatchObject({ sha256: sum, complete: true, size: file.size, name: "cold.gguf", url });
    expect(await tab.call("files")).toEqual({ [`${entry.key}.data`]: file.size, [`${entry.key}.json`]: 4096 });
  });

  test("is read while it comes", async () => {
    const { url, sum } = serve("stream.gguf", { rate: 6 * MB });
    const loaded = await tab.load(url);
    expect(loaded.sum).toBe(sum);
    expect(loaded.told.length).toBeGreaterThan(5);
    const middle = loaded.told[Math.floor(loaded.told.length / 2)]!;
    expect(middle.bytesPerSecond).toBeGreaterThan(2 * MB);
    expect(middle.secondsLeft).toBeGreaterThan(0);
  });

  test("has its header read in few requests", async () => {
    const { url, file } = serve("head.gguf", { size: 40 * MB });
    expect(await tab.call("head", url, [MB, 4 * MB, 16 * MB])).toBe(file.size);
    expect(server.of("head.gguf").length).toBeLessThanOrEqual(5);
    expect(server.sent("head.gguf")).toBe(16 * MB);
  });

  test("is read into shared memory", async () => {
    const { url, sum } = serve("shared.gguf");
    expect((await tab.load(url, { shared: true })).sum).toBe(sum);
    expect((await tab.load(url, { shared: true })).sum).toBe(sum);
  });

  test("in parts", async () => {
    const files = [1, 2, 3].map((n) => serve(`m-0000${n}-of-00003.gguf`, { size: 2 * MB + n, seed: n }));
    const loaded = await tab.load(files[1]!.url);
    expect(loaded.name).toBe("m-00001-of-00003.gguf");
    expect(Object.values(loaded.sums)).toEqual(files.map(({ sum }) => sum));
    expect(loaded.told.at(-1)!.total).toBe(files.reduce((sum, { file }) => sum + file.size, 0));
    expect(await tab.load(files[0]!.url)).toMatchObject({ from: "cache", sums: loaded.sums });
  });

  test("without the cache is read by ranges", async () => {
    const { url, sum, file } = serve("plain.gguf");
    expect(await tab.load(url, { cache: false })).toMatchObject({ sum, where: "network" });
    expect(server.sent("plain.gguf")).toBe(file.size);
    expect(await tab.call("list")).toEqual([]);
  });
});

describe("a download that breaks off", () => {
  test("of a killed tab goes on where it was", async () => {
    const { url, file, sum } = serve("killed.gguf", { size: 24 * MB, rate: 5 * MB });
    void tab.load(url).catch(() => {});
    await tab.reaches(16 * MB);
    await tab.kill();
    file.rate = 0;
    server.asked = [];
    tab = await browser.tab(server.origin);
    const [part] = await tab.call<{ complete: boolean; loaded: number }[]>("list");
    expect(part!.complete).toBe(false);
    expect(part!.loaded).toBeGreaterThan(4 * MB);
    expect(await tab.load(url)).toMatchObject({ sum, from: "network" });
    expect(server.sent("killed.gguf")).toBeLessThanOrEqual(file.size - part!.loaded + MB);
    expect(server.of("killed.gguf").at(-1)).toMatchObject({ range: `bytes=${part!.loaded}-`, ifRange: file.etag, status: 206 });
    expect((await tab.load(url)).from).toBe("cache");
  });

  test("of a killed tab starts anew if the disk lost what was written", async () => {
    const { url, file, sum } = serve("lost.gguf", { size: 16 * MB, rate: 5 * MB });
    void tab.load(url).catch(() => {});
    await tab.reaches(13 * MB);
    await tab.kill();
    file.rate = 0;
    tab = await browser.tab(server.origin);
    const [part] = await tab.call<{ key: string }[]>("list");
    await tab.call("damage", `${part!.key}.part`, { flip: 12345 });
    expect((await tab.load(url)).sum).toBe(sum);
    expect(server.of("lost.gguf").at(-1)!.sent).toBeGreaterThanOrEqual(file.size - MB);
  });

  test("by its signal keeps the part", async () => {
    const { url, file, sum } = serve("stopped.gguf", { size: 12 * MB, rate: 5 * MB });
    const failed = tab.fails(url, { as: "it" });
    await tab.reaches(5 * MB);
    expect(await tab.call("list")).toMatchObject([{ complete: false, size: file.size, name: "stopped.gguf" }]);
    await expect(tab.call("remove", url)).rejects.toThrow(/io: .* that is not being downloaded/);
    await tab.call("stop", "it");
    expect(await failed).toMatchObject({ name: "WeftError", code: "cancelled" });
    const [part] = await tab.call<{ loaded: number }[]>("list");
    expect(part!.loaded).toBeGreaterThanOrEqual(5 * MB);
    file.rate = 0;
    server.asked = [];
    expect((await tab.load(url)).sum).toBe(sum);
    expect(server.of("stopped.gguf").at(-1)!.range).toBe(`bytes=${part!.loaded}-`);
  });

  test("by the server is taken up again at once", async () => {
    const { url, file, sum } = serve("broken.gguf", { cutAfter: [Infinity, 3 * MB, 2 * MB + 77] });
    expect((await tab.load(url)).sum).toBe(sum);
    expect(server.of("broken.gguf").length).toBe(4);
    expect(server.sent("broken.gguf")).toBeLessThan(file.size + 3 * MB); // with what was lost on the way
  });

  test("by a busy server is asked for again", async () => {
    const { url, sum } = serve("busy.gguf", { status: [503, 429] });
    expect((await tab.load(url)).sum).toBe(sum);
  });
});

describe("a damaged entry", () => {
  test("that was cut is fetched again", async () => {
    const { url, sum } = serve("cut.gguf");
    const { keys } = await tab.load(url);
    await tab.call("damage", `${keys[0]}.data`, { size: 5 * MB });
    server.asked = [];
    expect(await tab.load(url)).toMatchObject({ sum, from: "network" });
    expect((await tab.load(url)).from).toBe("cache");
  });

  test("with a wrong byte is found on demand and fetched again", async () => {
    const { url, sum } = serve("flip.gguf");
    const { keys } = await tab.load(url);
    await tab.call("damage", `${keys[0]}.data`, { flip: 7 * MB });
    expect(await tab.load(url, { verify: true })).toMatchObject({ sum, from: "network" });
    expect(await tab.load(url, { verify: true })).toMatchObject({ sum, from: "cache" });
    await tab.call("damage", `${keys[0]}.data`, { flip: 0 });
    expect(await tab.call("verify", keys[0])).toBe(false);
    expect(await tab.call("list")).toEqual([]);
  });

  test("with a broken sidecar is fetched again", async () => {
    const { url, sum } = serve("sidecar.gguf");
    const { keys } = await tab.load(url);
    await tab.call("damage", `${keys[0]}.json`, { size: 100 });
    expect(await tab.load(url)).toMatchObject({ sum, from: "network" });
  });

  test("on the server names both sums", async () => {
    const { url, sum } = serve("sums.gguf");
    const announced = "0".repeat(64);
    const { code, message } = await tab.fails(url, { sha256: announced });
    expect(code).toBe("bad-file");
    expect(message).toContain(announced);
    expect(message).toContain(sum);
    expect(message).toContain(url);
    expect(await tab.call("list")).toEqual([]);
  });
});

describe("a model that changed on the server", () => {
  test("is fetched again, and the old one goes", async () => {
    const { url } = serve("new.gguf");
    await tab.load(url);
    const { sum } = serve("new.gguf", { seed: 2 });
    expect(await tab.load(url)).toMatchObject({ sum, from: "network" });
    const list = await tab.call<unknown[]>("list");
    expect(list).toMatchObject([{ sha256: sum, revision: '"new.gguf-2"' }]);
  });

  test("while it is loaded is an error, not a mixture", async () => {
    const { url, file } = serve("swap.gguf", { cutAfter: [Infinity, 3 * MB] });
    const failed = tab.fails(url);
    while (server.of("swap.gguf").length < 2) await new Promise((go) => setTimeout(go, 5));
    file.etag = '"another"';
    expect(await failed).toMatchObject({ code: "bad-file", message: expect.stringContaining("another") });
    expect((await tab.load(url)).from).toBe("network");
  });

  test("or is out of reach comes from the cache", async () => {
    const { url, sum } = serve("offline.gguf");
    await tab.load(url);
    await tab.page.context().setOffline(true);
    try {
      expect(await tab.load(url)).toMatchObject({ sum, from: "cache" });
    } finally {
      await tab.page.context().setOffline(false);
    }
    server.files.delete("offline.gguf");
    expect(await tab.load(url)).toMatchObject({ sum, from: "cache" });
  });
});

describe("two tabs", () => {
  test("download a model once", async () => {
    const { url, file, sum } = serve("twice.gguf", { rate: 6 * MB });
    const other = await browser.tab(server.origin);
    const [first, second] = await Promise.all([tab.load(url), tab.reaches(1).then(() => other.load(url))]);
    expect([first.sum, second.sum]).toEqual([sum, sum]);
    expect(server.sent("twice.gguf")).toBeLessThanOrEqual(file.size + 2 * MB); // each read the header
    const waited = second.told.filter(({ from }) => from === "another-tab");
    expect(waited.length).toBeGreaterThan(2);
    expect(waited.at(-1)!.loaded).toBeGreaterThan(waited[0]!.loaded);
  });

  test("take over from each other", async () => {
    const { url, file, sum } = serve("over.gguf", { size: 24 * MB, rate: 5 * MB });
    const other = await browser.tab(server.origin);
    void tab.load(url).catch(() => {});
    await tab.reaches(2 * MB);
    const second = other.load(url);
    await tab.reaches(14 * MB);
    await tab.kill();
    file.rate = 0;
    expect((await second).sum).toBe(sum);
    expect(server.sent("over.gguf")).toBeLessThan(file.size + 16 * MB);
    expect(server.of("over.gguf").at(-1)!.range).not.toBe("");
  });

  test("read a model at the same time, and none removes what the other reads", async () => {
    const { url, sum } = serve("both.gguf");
    const other = await browser.tab(server.origin);
    await tab.load(url, { as: "a" });
    await tab.load(url, { as: "b" });
    await other.load(url, { as: "c" });
    expect(await tab.call("again", "a")).toMatchObject({ sum });
    expect(await tab.call("again", "b")).toMatchObject({ sum });
    expect(await other.call("again", "c")).toMatchObject({ sum });
    await expect(other.call("remove", url)).rejects.toThrow(/io: .*in use/);
    for (const name of ["a", "b"]) await tab.call("shut", name);
    await other.call("shut", "c");
    expect(await other.call("remove", url)).toBe(1);
    expect(await tab.call("files")).toEqual({});
  });
});

describe("room", () => {
  test("that lacks is told before a byte is fetched, with what could go", async () => {
    const kept = serve("kept.gguf", { size: 6 * MB });
    await tab.load(kept.url);
    const session = await tab.page.context().newCDPSession(tab.page);
    const { usage } = await session.send("Storage.getUsageAndQuota", { origin: server.origin });
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: usage + 20 * MB });
    try {
      const { url } = serve("big.gguf", { size: 50 * MB });
      const failed = await tab.fails(url);
      expect(failed.code).toBe("quota-exceeded");
      expect(failed.message).toMatch(/big\.gguf: room in the cache: expected 52\.4 MB, found [12]\d\.\d MB: 3\d\.\d MB are missing/);
      expect(failed.hint).toContain("kept.gguf (6.3 MB, used today)");
      expect(server.sent("big.gguf")).toBe(MB); // the header
      expect(await tab.load(kept.url)).toMatchObject({ from: "cache" });
    } finally {
      await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
    }
  });

  test("is taken before the first byte: nothing can take it away", async () => {
    const { url, sum } = serve("taken.gguf", { size: 12 * MB, rate: 8 * MB });
    const session = await tab.page.context().newCDPSession(tab.page);
    const loading = tab.load(url);
    await tab.reaches(4 * MB);
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 5 * MB });
    try {
      expect((await loading).sum).toBe(sum);
    } finally {
      await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
    }
  });

  test("that ends under a file of unknown size is told on the way", async () => {
    const { url, file } = serve("end.gguf", { size: 24 * MB, ranges: false, length: false });
    const session = await tab.page.context().newCDPSession(tab.page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 10 * MB });
    try {
      expect(await tab.fails(url)).toMatchObject({ code: "quota-exceeded", message: expect.stringContaining("room in the cache") });
    } finally {
      await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
    }
    expect((await tab.load(url)).sum).toBe(sumOf(file));
  });

  test("for all parts or for none", async () => {
    const files = [1, 2].map((n) => serve(`q-0000${n}-of-00002.gguf`, { size: 9 * MB, seed: n }));
    const session = await tab.page.context().newCDPSession(tab.page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 12 * MB });
    try {
      expect(await tab.fails(files[0]!.url)).toMatchObject({ code: "quota-exceeded" });
      expect(await tab.call("files")).toEqual({});
    } finally {
      await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
    }
  });

  test("of none at all: memory, which says so", async () => {
    await tab.call("withoutOpfs");
    const bare = await browser.tab(server.origin);
    await bare.call("withoutOpfs");
    const { url, sum } = serve("memory.gguf");
    expect(await bare.load(url)).toMatchObject({ sum, where: "memory", reason: expect.stringContaining("OPFS") });
    expect(await bare.call("usage")).toMatchObject({ where: "memory", entries: 0, reason: expect.stringContaining("OPFS") });
  });
});

test("files of the private file system and Files are read where they are, more than once at a time", async () => {
  expect(await tab.call("local")).toEqual({ handle: true, again: true, file: true, sync: true });
});

describe("servers", () => {
  test("without ranges send the file once", async () => {
    const { url, sum, file } = serve("whole.gguf", { ranges: false });
    expect(await tab.load(url)).toMatchObject({ sum, where: "opfs" });
    expect(server.sent("whole.gguf")).toBe(file.size);
    expect(server.of("whole.gguf").length).toBe(1);
    expect((await tab.load(url)).from).toBe("cache");
  });

  test("without ranges and without a cache too", async () => {
    const { url, sum } = serve("stream2.gguf", { ranges: false });
    expect(await tab.load(url, { cache: false })).toMatchObject({ sum, where: "memory" });
  });

  test("that break off without ranges start again, and what was kept is skipped", async () => {
    const { url, sum } = serve("skip.gguf", { ranges: false, cutAfter: [4 * MB] });
    expect((await tab.load(url)).sum).toBe(sum);
    expect(server.of("skip.gguf").length).toBe(2);
  });

  test("that tell no size", async () => {
    const { url, sum } = serve("unsized.gguf", { ranges: false, length: false });
    expect(await tab.load(url)).toMatchObject({ sum, where: "opfs" });
    expect((await tab.load(url)).from).toBe("cache");
  });

  test("that tell no revision", async () => {
    const { url, sum } = serve("anon.gguf", { etag: undefined });
    expect((await tab.load(url)).sum).toBe(sum);
    expect((await tab.load(url)).from).toBe("cache");
  });

  test("of another site, which hide their headers", async () => {
    const other = await FileServer.start();
    try {
      const file = { size: 5 * MB + 1, cors: true };
      const url = other.serve("cors.gguf", file);
      expect((await tab.load(url)).sum).toBe(sumOf(file));
      expect((await tab.load(url)).from).toBe("cache");
      const closed = other.serve("closed.gguf", { size: MB });
      expect(await tab.fails(closed)).toMatchObject({ code: "io", hint: expect.stringContaining("CORS") });
    } finally {
      other.stop();
    }
  });

  test("that have no such file", async () => {
    const url = `${server.origin}/files/none.gguf`;
    expect(await tab.fails(url)).toMatchObject({ code: "not-found", message: expect.stringContaining(url) });
  });

  test("that answer with a web page", async () => {
    const { url } = serve("page.gguf", { html: true });
    expect(await tab.fails(url)).toMatchObject({ code: "bad-file", message: expect.stringContaining("a web page (text/html") });
  });

  test("of empty files", async () => {
    const { url } = serve("empty.gguf", { size: 0 });
    expect(await tab.fails(url)).toMatchObject({ code: "bad-file", message: expect.stringContaining("empty") });
  });
});

test.runIf(process.env.WEFT_CACHE_BENCH)("speed of a model of 500 MB", async () => {
  const { url, file } = serve("speed.gguf", { size: 500 * MB });
  const before = browser.rendererMB();
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, browser.rendererMB())), 50);
  const start = performance.now();
  await tab.load(url, { hash: false, as: "it" });
  clearInterval(watch);
  const cold = file.size / 1e3 / (performance.now() - start);
  const warm: number[] = [];
  for (let i = 0; i < 5; i++) warm.push(Math.round(await tab.call<number>("speed", "it")));
  const hash = await tab.call<number>("hashSpeed");
  console.log(`cold ${Math.round(cold)} MB/s, warm ${warm.join(" ")} MB/s, SHA-256 ${Math.round(hash)} MB/s, ` +
    `renderer ${Math.round(before)} MB, at peak of the download ${Math.round(peak - before)} MB more`);
  await tab.call("shut", "it");
}, 120_000);
