// The package in Chromium, as a user has it: the native program's tokens and plans on the CPU and on both software
// GPUs, what ends and what is lost, pages without WebGPU and without isolation, a page that stays responsive, memory.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { gpus } from "./support/chromium.mjs";
import { generate, inPage, load, modelPath, modelUrl, native, Place, root } from "./product/pages.js";

const prompt = "Once upon a time";
const sampling = { temperature: 0.9, topK: 40, topP: 0.95, minP: 0.02, repeatPenalty: 1.1, seed: 11 };
const sampled = ["--temp", "0.9", "--top-k", "40", "--top-p", "0.95", "--min-p", "0.02", "--repeat-penalty", "1.1", "--seed", "11"];
const counts: Record<string, number> = { swiftshader: 12, lavapipe: 40, none: 64 }; // SwiftShader takes most of a second a token

// design.md's rule across devices: the same ids, or the first other one lies where the native program's two are closer
// than the logits of both differ, measured along the ids that are the same.
async function expectNativeTokens(page: Page, count: number): Promise<void> {
  const wanted = native(["-m", modelPath, "-p", prompt, "--temp", "0", "-n", String(count), "--logprobs", "20", "--ignore-eos"]);
  const got = await generate(page, prompt, { maxTokens: count, temperature: 0, ignoreEnd: true });
  const same = wanted.ids.findIndex((id, i) => got.ids[i] !== id);
  expect(got.ids.length).toBe(count);
  if (same < 0) return;
  const again = await inPage(page, async (scope, [text, n]: readonly [string, number]) => {
    const { logprobs } = await scope.model.generate(text, { maxTokens: n, temperature: 0, logprobs: 5, ignoreEnd: true }).result;
    return logprobs!;
  }, [prompt, same + 1] as const);
  let error = 0;
  for (let i = 0; i <= same; ++i)
    for (const { id, logprob } of again[i]!.best) {
      const other = wanted.logprobs![i]!.best.find((b) => b.id === id);
      if (other) error = Math.max(error, Math.abs(other.logprob - logprob));
    }
  const at = wanted.logprobs![same]!.best;
  const gap = at[0]!.logprob - (at.find(({ id }) => id === got.ids[same])?.logprob ?? -Infinity);
  console.log(`first divergence at token ${same}: gap ${gap}, error of the logits ${error}`);
  expect(error).toBeLessThan(0.3);
  expect(gap).toBeLessThanOrEqual(2 * error);
}

describe.each(["none", ...gpus])("on %s", (gpu) => {
  const device = gpu === "none" ? "cpu" : "webgpu";
  let place: Place;
  let page: Page;
  beforeAll(async () => {
    place = await Place.open(gpu);
    page = await place.page();
    const { device: name } = await load(page, { software: true }, { device, context: 256, prefillChunk: 16 });
    console.log(`${gpu}: ${name}`);
  }, 300_000);
  afterAll(() => place?.close());

  test("greedy tokens are the native program's", () => expectNativeTokens(page, counts[gpu]!), 600_000);

  // A model in f32: eight-bit activations are rounded at other places on other devices, and a draw near the border of two
  // tokens then gives the other one.
  test("sampled tokens are the native program's", async () => {
    const model = "tests/golden/llama/model.gguf";
    const { prompts } = JSON.parse(readFileSync(join(root, "tests/golden/llama/golden.json"), "utf8")) as { prompts: { ids: number[] }[] };
    const { ids } = prompts[0]!;
    const wanted = native(["-m", join(root, model), "--ids", ids.join(), "--kv", "f32", "-n", "48", "--ignore-eos", ...sampled]);
    const got = await inPage(page, async (scope, [url, prompt, options, device]: readonly [string, number[], object, "cpu" | "webgpu"]) => {
      const model = await scope.engine.load(url, { device, kv: "f32", context: 128, prefillChunk: 16 });
      const { ids, stats } = await model.generate(prompt, { maxTokens: 48, ignoreEnd: true, ...options }).result;
      await model.dispose();
      return { ids, kind: stats.kind };
    }, [`/${model}`, ids, sampling, device] as const);
    expect(got.kind).toBe(device);
    expect(new Set(wanted.ids).size).toBeGreaterThan(10);
    expect(got.ids).toEqual(wanted.ids);
  }, 600_000);

  test("a signal ends an answer, and the next one is whole", async () => {
    const out = await inPage(page, async (scope, text: string) => {
      const stop = new AbortController();
      let seen = 0;
      const answer = scope.model.generate(text, { maxTokens: 200, temperature: 0, ignoreEnd: true, signal: stop.signal });
      let stopped = 0;
      for await (const part of answer) {
        if (part.id >= 0 && ++seen === 3) {
          stop.abort();
          stopped = performance.now();
        }
      }
      const { reason, ids } = await answer.result;
      const ms = performance.now() - stopped;
      const next = await scope.model.generate(text, { maxTokens: 4, temperature: 0 }).result;
      const both = Math.min(4, ids.length);
      return { reason, count: ids.length, ms, first: ids.slice(0, both), next: next.ids.slice(0, both) };
    }, prompt);
    console.log(`${gpu}: ${out.count} tokens, ended ${out.ms.toFixed(0)} ms after the signal`);
    expect(out.reason).toBe("cancelled");
    expect(out.count).toBeLessThan(200);
    expect(out.first.length).toBeGreaterThan(2);
    expect(out.next).toEqual(out.first);
  }, 300_000);

  if (gpu === "none") return;

  test("plans are the native program's for the same caps, byte by byte", async () => {
    const { caps, decode, prefill } = await inPage(page, async (scope) => {
      const adapter = (await navigator.gpu.requestAdapter())!;
      const gpu = scope.model.info.device.gpu!;
      const { limits } = adapter;
      const immediates = (limits as { maxImmediateSize?: number }).maxImmediateSize ?? 0;
      return {
        caps: {
          name: scope.model.info.device.name,
          software: gpu.software, f16: gpu.f16, subgroups: gpu.subgroups, packed_dot: gpu.packedDot, timestamps: gpu.timestamps,
          immediates: immediates > 0 && navigator.gpu.wgslLanguageFeatures.has("immediate_address_space"),
          subgroup_min: gpu.subgroupMin, subgroup_max: gpu.subgroupMax,
          max_buffer_bytes: gpu.maxBufferBytes, max_binding_bytes: gpu.maxBindingBytes,
          max_storage_buffers: limits.maxStorageBuffersPerShaderStage,
          max_workgroup_bytes: gpu.maxWorkgroupBytes, max_workgroup_invocations: gpu.maxWorkgroupInvocations,
          max_workgroups: limits.maxComputeWorkgroupsPerDimension, offset_alignment: limits.minStorageBufferOffsetAlignment,
        },
        decode: await scope.model.dump("decode"),
        prefill: await scope.model.dump("prefill"),
      };
    }, undefined);
    expect(caps).toMatchObject(gpu === "lavapipe" ? { f16: true, subgroup_min: 8, subgroup_max: 8 } : { f16: false, subgroup_max: 4 });
    const program = join(root, "build/release/tests/test_plan_dump");
    const { decode: nativeDecode, prefill: nativePrefill } =
      JSON.parse(execFileSync(program, [modelPath, JSON.stringify({ ...caps, context: 256, chunk: 16 })], { encoding: "utf8" }));
    expect(decode.length).toBeGreaterThan(1000);
    expect(decode).toBe(nativeDecode);
    expect(prefill).toBe(nativePrefill);
  }, 60_000);

  test("a lost device is a named error; recover() loads again and gives the same tokens", async () => {
    const count = gpu === "lavapipe" ? 12 : 4;
    const out = await inPage(page, async (scope, [text, n]: readonly [string, number]) => {
      const wanted = await scope.model.generate(text, { maxTokens: n, temperature: 0 }).result;
      const errors: string[] = [];
      const answer = scope.model.generate(text, { maxTokens: 200, temperature: 0, ignoreEnd: true });
      try {
        let seen = 0;
        for await (const _ of answer) if (++seen === 2) await scope.engine.loseDevice();
      } catch (e) {
        errors.push(scope.weft.WeftError.is(e) ? e.code : String(e));
      }
      await scope.model.generate(text, { maxTokens: 2 }).result.catch((e: unknown) => errors.push(scope.weft.WeftError.is(e) ? e.code : String(e)));
      await scope.model.recover();
      const got = await scope.model.generate(text, { maxTokens: n, temperature: 0 }).result;
      return { wanted: wanted.ids, got: got.ids, errors, kind: got.stats.kind };
    }, [prompt, count] as const);
    expect(out.errors).toEqual(["device-lost", "device-lost"]);
    expect(out.kind).toBe("webgpu");
    expect(out.got).toEqual(out.wanted);
  }, 600_000);
});

describe("without a GPU", () => {
  let place: Place;
  const pages: Page[] = [];
  const open = async (options?: object) => (pages.push(await place.page(options)), pages.at(-1)!);
  beforeAll(async () => void (place = await Place.open("none", ["--js-flags=--expose-gc", "--enable-precise-memory-info"])), 60_000);
  afterEach(async () => void (await Promise.all(pages.splice(0).map((page) => page.close()))));
  afterAll(() => place?.close());

  test("the CPU is chosen and the reason told; asking for a GPU is an error", async () => {
    const page = await open();
    const { reason } = await load(page, {}, {});
    expect(reason).toMatch(/CPU.*WebGPU/);
    const code = await inPage(page, async (scope, url: string) => {
      const { gpus } = await scope.engine.devices();
      return [gpus.length, await scope.engine.load(url, { device: "webgpu" }).then(() => "", (e: { code: string }) => e.code)];
    }, modelUrl);
    expect(code).toEqual([0, "no-device"]);
  }, 60_000);

  test("a page that is not isolated computes on one thread, with the same tokens", async () => {
    const page = await open({ isolated: false });
    const { device, reason } = await load(page, {}, {});
    expect(device).toMatch(/1 thread/);
    expect(reason).toMatch(/isolated/);
    await expectNativeTokens(page, 32);
  }, 120_000);

  test("a page stays responsive: no task of 50 ms while it loads and generates", async () => {
    const page = await open();
    const out = await inPage(page, async (scope, url: string) => {
      const long: number[] = [];
      new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => long.push(duration))).observe({ type: "longtask" });
      scope.engine = await scope.weft.createEngine();
      scope.model = await scope.engine.load(url);
      let tokens = 0;
      for await (const part of scope.model.generate("Once upon a time", { maxTokens: 200, ignoreEnd: true, seed: 1 })) {
        document.title = part.text;
        ++tokens;
      }
      const observed = () => new Promise((later) => setTimeout(later, 200));
      await observed();
      const ofWeft = long.splice(0);
      await new Promise<void>((done) => setTimeout(() => { // what the observer must see
        for (const begin = performance.now(); performance.now() - begin < 80; );
        done();
      }));
      await observed();
      return { long: ofWeft, ours: long, tokens };
    }, modelUrl);
    console.log(`longest task: ${Math.max(0, ...out.long)} ms`);
    expect(out.tokens).toBeGreaterThanOrEqual(200);
    expect(out.ours.length).toBe(1);
    expect(out.long).toEqual([]);
  }, 120_000);

  test("ten times loading, generating and disposing do not grow", async () => {
    const page = await open();
    const sizes = await inPage(page, async (scope, url: string) => {
      const { gc } = globalThis as never as { gc(): void };
      const heap = () => (gc(), (performance as never as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
      scope.engine = await scope.weft.createEngine();
      const sizes: { heap: number; wasm: number; models: number }[] = [];
      for (let i = 0; i < 10; ++i) {
        const model = await scope.engine.load(url);
        await model.generate("Once upon a time", { maxTokens: 8, seed: i }).result;
        await model.dispose();
        const { wasmBytes, models } = await scope.engine.memory();
        sizes.push({ heap: heap(), wasm: wasmBytes, models: models.weights + models.states + models.activations });
      }
      return sizes;
    }, modelUrl);
    console.log(`after 2 and 10 cycles: ${JSON.stringify([sizes[1], sizes[9]])}`);
    for (const { models } of sizes) expect(models).toBe(0);
    expect(sizes[9]!.wasm).toBe(sizes[1]!.wasm);
    expect(sizes[9]!.heap).toBeLessThan(sizes[1]!.heap + 200_000);
  }, 120_000);
});
