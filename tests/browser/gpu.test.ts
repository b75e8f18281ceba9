// The module on the WebGPU of Chromium, in a worker, on SwiftShader. WEFT_TEST_TOKENS: how many to generate; one takes
// most of a second. WEFT_TEST_VERBOSE: what the imports cost.
import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const model = "models/weft-stories-7m-q8_0.gguf";
const tokens = Number(process.env["WEFT_TEST_TOKENS"] ?? 8);
const native = join(root, "build/release/weft");
const flags = ["--no-sandbox", "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader",
  "--disable-gpu-sandbox", "--ignore-gpu-blocklist", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-quic"];

let folder: string;
let server: Server;
let context: BrowserContext;
let page: Page;

async function bundle(): Promise<string> {
  const out = await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, minify: false, lib: { entry: join(root, "tests/browser/gpu/worker.ts"), formats: ["es"] } },
  });
  const { output } = Array.isArray(out) ? out[0]! : (out as never as { output: { code: string }[] });
  return (output[0] as { code: string }).code;
}

beforeAll(async () => {
  const worker = await bundle();
  server = createServer((request, response) => {
    const type = (kind: string) => ({ "content-type": kind, "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp" });
    const url = request.url!.split("?")[0]!;
    if (url === "/") response.writeHead(200, type("text/html")).end("<!doctype html><title>GPU</title><link rel=icon href='data:,'>");
    else if (url === "/worker.js") response.writeHead(200, type("text/javascript")).end(worker);
    else if (/^\/(models|build)\//.test(url) && existsSync(join(root, url)))
      response.writeHead(200, type(url.endsWith(".wasm") ? "application/wasm" : "application/octet-stream"))
        .end(readFileSync(join(root, url)));
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await new Promise((started) => server.once("listening", started));
  folder = mkdtempSync(join(tmpdir(), "weft-gpu-"));
  context = await chromium.launchPersistentContext(folder, {
    executablePath: process.env["WEFT_CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    args: flags,
  });
}, 60_000);
afterAll(async () => {
  await context?.close();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

// A new page with a worker; its calls.
async function start(): Promise<(call: string, ...values: unknown[]) => Promise<never>> {
  page = await context.newPage();
  page.on("console", (message) => process.env["WEFT_TEST_VERBOSE"] && console.log("console:", message.text()));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.evaluate(() => {
    const worker = new Worker("/worker.js", { type: "module" });
    const waiting: ((data: unknown) => void)[] = [];
    worker.onmessage = ({ data }) => waiting[data.id]!(data);
    worker.onerror = (e) => console.error("worker", e.message);
    Object.assign(window, {
      ask: (call: string, values: unknown[]) =>
        new Promise((done) => worker.postMessage({ id: waiting.push(done) - 1, call, values })),
    });
  });
  return async (call, ...values) => {
    const answer = await page.evaluate(
      ([c, v]) => (window as never as { ask(c: string, v: unknown[]): Promise<{ result?: never; error?: object }> }).ask(c, v),
      [call, values] as const,
    );
    if (answer.error) throw Object.assign(new Error(), answer.error);
    return answer.result as never;
  };
}

interface Generated {
  ids: number[];
  stats: { device: string; decode_tps: number };
  spent: Record<string, { calls: number; ms: number }>;
}

test.each(["wasm", "wasm-threads"])("gives the native CPU's greedy tokens (%s)", async (which) => {
  const call = await start();
  const wasm = `/build/${which}/host/web/weft.wasm`;
  const { devices } = (await call("start", wasm, which === "wasm-threads")) as { devices: { name: string; software: boolean }[] };
  expect(devices[0]).toMatchObject({ software: true, vendor: "google", architecture: "swiftshader" });
  await call("load", `/${model}`, { device: "webgpu" });
  const out: Generated = await call("generate", { max_tokens: tokens, temperature: 0 }, 0);
  expect(out.stats.device).toMatch(/^webgpu/);
  if (process.env["WEFT_TEST_VERBOSE"]) {
    const used = Object.fromEntries(Object.entries(out.spent).filter(([, { calls }]) => calls > 0));
    console.log(which, JSON.stringify(devices[0]), out.stats.decode_tps, used, await call("shared").catch(String));
  }
  const expected = JSON.parse(execFileSync(native, ["generate", "-m", join(root, model), "-p", "Once upon a time", "--temp", "0",
    "--json", "--device", "cpu", "-n", String(tokens)], { encoding: "utf8" })) as Generated;
  expect(out.ids).toEqual(expected.ids);
  await page.close();
}, 600_000);

test("a device that is lost in the middle ends the generation, and another load works", async () => {
  const call = await start();
  await call("start", "/build/wasm/host/web/weft.wasm", false);
  await call("load", `/${model}`, { device: "webgpu", burst: 1 });
  await expect(call("generate", { max_tokens: 100, temperature: 0 }, 2)).rejects.toMatchObject({ code: "device-lost" });
  await expect(call("generate", { max_tokens: 1 }, 0)).rejects.toMatchObject({ code: "device-lost" });
  await call("load", `/${model}?again`, { device: "webgpu" });
  expect(((await call("generate", { max_tokens: 1 }, 0)) as Generated).ids.length).toBe(1);
  await page.close();
}, 600_000);
