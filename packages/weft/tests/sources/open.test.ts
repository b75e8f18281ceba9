// Sources in Node: files, blobs, and servers without a place to keep what they send.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WeftError } from "../../src/errors.js";
import { openSources, type ModelLocation, type OpenedModel, type OpenOptions } from "../../src/sources/open.js";

const data = Uint8Array.from({ length: 3_000_001 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
let folder: string, server: Server, origin: string;
let requests: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "weft-sources-"));
  server = createServer((request, response) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ""}`.trim());
    if (request.url === "/none.gguf") return void response.writeHead(404).end();
    if (request.url === "/private.gguf" && request.headers.authorization !== "Bearer x") return void response.writeHead(401).end();
    const [from, to] = range && request.url !== "/plain.gguf"
      ? [Number(range[1]), Math.min(range[2] ? Number(range[2]) + 1 : Infinity, data.length)] : [0, data.length];
    response.writeHead(range && request.url !== "/plain.gguf" ? 206 : 200, {
      ETag: '"1"', "Content-Length": to - from, "Content-Range": `bytes ${from}-${to - 1}/${data.length}`,
    }).end(request.method === "HEAD" ? undefined : data.subarray(from, to));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function bytesOf(model: OpenedModel, name = model.name): Promise<Uint8Array> {
  const source = model.sources.get(name)!;
  const out = new Uint8Array(source.size);
  await source.begin?.();
  for (let at = 0; at < out.length; at += 700_000) await source.read(at, () => out.subarray(at, at + 700_000));
  return out;
}
async function opened(what: ModelLocation, options: OpenOptions = {}) {
  requests = [];
  const model = await openSources(what, options);
  const same = Buffer.from(await bytesOf(model)).equals(data);
  await model.done;
  await model.close();
  return { model, same };
}

test("a path, and the parts beside it", async () => {
  const path = join(folder, "a-00001-of-00002.gguf");
  writeFileSync(path, data);
  await expect(openSources(path)).rejects.toMatchObject({ code: "not-found", message: expect.stringContaining("00002-of-00002") });
  writeFileSync(join(folder, "a-00002-of-00002.gguf"), data.subarray(5));
  const { model, same } = await opened(path);
  expect(same).toBe(true);
  expect(model).toMatchObject({ where: "file", from: "file" });
  const both = await openSources(path);
  expect(both.sources.size).toBe(2);
  expect(() => both.sources.get(both.name)!.read(data.length - 1, new Uint8Array(2))).toThrow(/beyond the end/);
  await both.close();
});

test("blobs and files", async () => {
  expect((await opened(new Blob([data]))).same).toBe(true);
  const files = [new File([data], "b-00001-of-00002.gguf"), new File([data.subarray(9)], "b-00002-of-00002.gguf")];
  const { model, same } = await opened([files[1]!, files[0]!]);
  expect(model.name).toBe("b-00001-of-00002.gguf");
  expect(same).toBe(true);
  await expect(openSources([files[0]!, files[0]!])).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(openSources([])).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(openSources(7 as unknown as string)).rejects.toMatchObject({ code: "invalid-argument" });
});

test("addresses of what is here already", async () => {
  const url = URL.createObjectURL(new Blob([data]));
  const { model, same } = await opened(url);
  expect([same, model.where]).toEqual([true, "file"]);
  URL.revokeObjectURL(url);
  await expect(openSources(url)).rejects.toMatchObject({ code: "not-found" });
  expect((await openSources("data:application/octet-stream;base64,AAEC")).sources.get("model")!.size).toBe(3);
});

test.each([["/ranges.gguf", true, "memory"], ["/ranges.gguf", false, "network"], ["/plain.gguf", true, "memory"], ["/plain.gguf", false, "memory"]])(
  "%s, cache: %s", async (path, cache, where) => {
    const { model, same } = await opened(origin + path, { cache });
    expect(same).toBe(true);
    expect(model).toMatchObject({ where, from: "network" });
    expect(model.reason).not.toBe("");
    expect(requests.length).toBeLessThanOrEqual(3);
  });

test("errors name the address", async () => {
  await expect(openSources(`${origin}/none.gguf`)).rejects.toMatchObject({
    code: "not-found", message: `${origin}/none.gguf: the request: expected a file, found HTTP 404 Not Found`,
  });
  await expect(openSources(`${origin}/private.gguf`)).rejects.toMatchObject({ code: "io", hint: expect.stringContaining("token") });
  expect((await opened(`${origin}/private.gguf`, { headers: { Authorization: "Bearer x" } })).same).toBe(true);
  await expect(openSources("/no/such/file.gguf")).rejects.toMatchObject({ code: "not-found" });
});

test("a signal ends it", async () => {
  const stop = new AbortController();
  stop.abort("enough");
  await expect(openSources(`${origin}/ranges.gguf`, { signal: stop.signal })).rejects.toSatisfy((e) => WeftError.is(e, "cancelled"));
  const model = await openSources(`${origin}/ranges.gguf`);
  const source = model.sources.get(model.name)!;
  model.stop();
  await source.begin?.();
  await expect(model.done).rejects.toMatchObject({ code: "cancelled" });
  expect(() => source.read(0, new Uint8Array(1))).toThrow(/stopped/);
});

test("a hub's name goes to the hub", async () => {
  const { model } = await opened("o/r@v/ranges.gguf", { endpoint: origin, cache: false });
  expect(model.name).toBe("ranges.gguf");
  expect(requests[0]).toBe("GET /o/r/resolve/v/ranges.gguf bytes=0-1048575");
});
