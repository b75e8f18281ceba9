// Errors, options, fit, turns, batches and answers: what needs no module.
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test, vi } from "vitest";
import { errorTable } from "../src/error_codes.js";
import { codeOf, numberOf, WeftError } from "../src/errors.js";
import { Generation } from "../src/generation.js";
import { generateOptions, loadOptions, randomSeed } from "../src/options.js";
import { Batch } from "../src/server/batch.js";
import { checkFit } from "../src/server/fit.js";
import { LoadProgress } from "../src/server/load_progress.js";
import { Turns } from "../src/server/turns.js";
import type { GenerateResult, Part, Progress } from "../src/types.js";

const root = resolve(import.meta.dirname, "../../..");

test("the codes are those of src/base/errors.def", () => {
  execFileSync("python3", [resolve(root, "tools/gen_error_codes.py"), "--check"]);
  errorTable.forEach(({ code }, number) => {
    if (code === "ok") return;
    expect(numberOf(code)).toBe(number);
    expect(codeOf(number)).toBe(code);
    if (code !== "cancelled") expect(new WeftError(code, "x").hint).not.toBe("");
  });
});

test("WeftError.is tells errors apart, also those of another copy of the package", () => {
  const error = new WeftError("device-lost", "gone");
  expect(WeftError.is(error)).toBe(true);
  expect(WeftError.is(error, "device-lost")).toBe(true);
  expect(WeftError.is(error, "io")).toBe(false);
  expect(WeftError.is(Object.assign(new Error("gone"), { name: "WeftError", code: "io" }), "io")).toBe(true);
  for (const other of [null, undefined, "io", 3, new Error("io"), { code: "io" }]) expect(WeftError.is(other)).toBe(false);
  expect(WeftError.from(new DOMException("stop", "AbortError")).code).toBe("cancelled");
});

test("options get the core's names; unknown ones and numbers that JSON loses are errors", () => {
  expect(generateOptions({ maxTokens: 5, topK: 1, stop: "x", logitBias: { 3: -Infinity, 7: 1.5 } })).toEqual({
    max_tokens: 5, top_k: 1, stop: ["x"], logit_bias: [[3, null], [7, 1.5]],
  });
  expect(generateOptions({ temperature: undefined })).toEqual({});
  expect(() => generateOptions({ max_tokens: 5 } as never)).toThrow(/max_tokens: expected an option of it/);
  expect(() => generateOptions({ constructor: 5 } as never)).toThrow(/constructor/);
  expect(() => generateOptions({ temperature: NaN })).toThrow(/temperature: expected a number, found NaN/);
  expect(() => generateOptions({ logitBias: { a: 1 } as never })).toThrow(/logitBias/);
  expect(loadOptions({ context: 64, sessions: 2, kv: "q8_0", threads: 3, cache: false })).toEqual({ context: 64, slots: 2, kv: "q8_0" });
  expect(Number.isSafeInteger(randomSeed())).toBe(true);
});

const GB = 2 ** 30;
const room = { kind: "cpu" as const, wasmLimit: 4 * GB, wasmUsed: 32 << 20, machine: undefined, context: undefined };

test("what does not fit is refused with figures and a way out", () => {
  const needs = { weights: 1 * GB, states: 1 * GB, activations: 10 << 20 };
  expect(() => checkFit("m", needs, room)).not.toThrow();
  const refuse = (n: typeof needs, r: Parameters<typeof checkFit>[2]) => {
    try {
      checkFit("m", n, r);
    } catch (e) {
      return e as WeftError;
    }
    throw new Error("it was said to fit");
  };
  const long = refuse({ ...needs, states: 8 * GB }, { ...room, context: 131072 });
  expect(long.code).toBe("insufficient-memory");
  expect(long.message).toMatch(/found a need of 9\.67 GB: weights 1\.07 GB, conversations 8\.59 GB/);
  const context = Number(/context: (\d+)/.exec(long.hint)![1]);
  expect(() => checkFit("m", { ...needs, states: (8 * GB * context) / 131072 }, { ...room, context })).not.toThrow();
  expect(context).toBeGreaterThan(131072 / 4);
  expect(refuse({ ...needs, weights: 7 * GB }, room).hint).toMatch(/smaller model/);
  expect(refuse({ ...needs, weights: 3 * GB }, { ...room, kind: "webgpu", machine: 2 * GB }).message).toMatch(/this machine's 2\.15 GB/);
  expect(() => checkFit("m", { ...needs, weights: 30 * GB }, { ...room, kind: "webgpu" })).not.toThrow();
});

test("turns come in order; who stops waiting lets nobody pass those before", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const first = await turns.next();
  const controller = new AbortController();
  const second = turns.next(controller.signal);
  const third = turns.next().then((done) => (seen.push("third"), done()));
  controller.abort();
  await expect(second).rejects.toMatchObject({ code: "cancelled" });
  await new Promise((r) => setTimeout(r, 5));
  expect(seen).toEqual([]);
  first();
  await third;
  expect(seen).toEqual(["third"]);
});

test("many events are few messages, the first of them at once", async () => {
  const sent: number[][] = [];
  const batch = new Batch<number>((items) => sent.push(items));
  batch.add(0);
  await Promise.resolve();
  expect(sent).toEqual([[0]]);
  const end = performance.now() + 100;
  let n = 1;
  while (performance.now() < end) {
    batch.add(n++);
    await new Promise((r) => setImmediate(r));
  }
  batch.flush();
  expect(sent.flat()).toEqual(Array.from({ length: n }, (_, i) => i));
  expect(sent.length).toBeLessThan(10);
});

test("one account of a load: downloading, then loading, then ready", () => {
  const told: Progress[] = [];
  const progress = new LoadProgress((p) => told.push(p));
  const arrival = { total: 100, bytesPerSecond: 10, from: "network" as const };
  progress.arrived({ ...arrival, loaded: 10, secondsLeft: 9 });
  progress.loaded(5, 90);
  progress.arrived({ ...arrival, loaded: 100, secondsLeft: 0 });
  progress.loaded(90, 90);
  progress.ready(90);
  expect(told.map((p) => p.phase)).toEqual(["connecting", "downloading", "downloading", "loading", "ready"]);
  expect(told[1]).toMatchObject({ loaded: 10, total: 100, secondsLeft: 9, cached: false });
});

const answer: GenerateResult = {
  text: "ab", ids: [1, 2], promptIds: [], reason: "max-tokens", seed: 0,
  stats: { device: "", kind: "cpu", kernels: [], loadMs: 0, ttftMs: 0, prefillTokens: 0, keptTokens: 0, prefillTps: 0, decodeTokens: 0, decodeTps: 0, submitUs: 0, peakBytes: 0 },
};

test("a generation runs unread, can be read twice, and leaving the loop stops it", async () => {
  const start = vi.fn(async (onParts: (parts: Part[]) => void) => (onParts([{ text: "a", id: 1 }, { text: "b", id: 2 }]), answer));
  const generation = new Generation(start);
  expect((await generation.result).text).toBe("ab");
  for (let time = 0; time < 2; ++time) {
    let text = "";
    for await (const part of generation) text += part.text;
    expect(text).toBe("ab");
  }
  let stopped = false;
  const endless = new Generation((onParts, signal) => new Promise((resolve) => {
    onParts([{ text: "a", id: 1 }]);
    signal.addEventListener("abort", () => ((stopped = true), resolve({ ...answer, reason: "cancelled" })));
  }));
  for await (const _ of endless) break;
  expect(stopped).toBe(true);
  expect((await endless.result).reason).toBe("cancelled");
});

test("an error of a generation reaches the loop; unread it is no unhandled rejection", async () => {
  const failing = () => new Generation(async () => Promise.reject(new WeftError("context-full", "no room")));
  await expect((async () => { for await (const _ of failing()); })()).rejects.toMatchObject({ code: "context-full" });
  failing();
  await new Promise((r) => setTimeout(r, 5));
});
