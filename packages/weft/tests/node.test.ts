// The built package in Node on the CPU, with the default model: dist/ is what users get, its workers included.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as Weft from "../src/node.js";

const root = resolve(import.meta.dirname, "../../..");
const file = join(root, "models/weft-stories-7m-q8_0.gguf");
const native = join(root, "build/release/weft");
const dist = join(root, "packages/weft/dist/node.js");

let weft: typeof Weft;
let engine: Weft.Engine;
let model: Weft.Model;

beforeAll(async () => {
  if (!existsSync(dist)) throw new Error("packages/weft/dist is missing: npm run build -w weft");
  weft = (await import(dist)) as typeof Weft;
  engine = await weft.createEngine({ device: "cpu", threads: 2 });
  model = await engine.load(file);
});
afterAll(() => engine.dispose());

const said = async (generation: Weft.Generation): Promise<string> => {
  let text = "";
  for await (const part of generation) text += part.text;
  expect((await generation.result).text).toBe(text);
  return text;
};

test("says what it runs on and why", async () => {
  expect(engine.device).toMatchObject({ kind: "cpu", threads: 2 });
  expect(engine.reason).toBe("on the CPU: it was asked for; 2 threads");
  expect(model.info).toMatchObject({ architecture: "llama", file, vocabulary: 4096, context: 1024, chatTemplate: true });
  expect(model.info.device.threads).toBe(2);
  expect((await engine.devices()).cpu).toMatchObject({ threads: 2, isolated: true });
});

test("five lines, and the statistics", async () => {
  const answer = model.generate("Once upon a time", { maxTokens: 20, temperature: 0 });
  expect(await said(answer)).toMatch(/^[ ,].*[a-z]/);
  const { reason, ids, promptIds, stats } = await answer.result;
  expect([reason, ids.length, promptIds.length]).toEqual(["max-tokens", 20, 5]);
  expect(stats).toMatchObject({ kind: "cpu", device: model.info.device.name, decodeTokens: 19 });
  expect(stats.prefillTokens + stats.keptTokens).toBe(5);
  for (const figure of [stats.loadMs, stats.ttftMs, stats.decodeTps, stats.peakBytes]) expect(figure).toBeGreaterThan(0);
  expect(stats.kernels.length).toBeGreaterThan(5);
});

test.skipIf(!existsSync(native))("seeded text is the native program's, token by token", async () => {
  const prompts = ["Once upon a time", "The dragon was", "Lily and Tom went to the park because"];
  for (const [seed, prompt] of prompts.entries()) {
    // On the level of instructions whose order of sums WebAssembly shares.
    const out = execFileSync(native, ["generate", "-m", file, "-p", prompt, "-n", "48", "--seed", String(seed), "--json", "--device",
      "cpu", "--cpu-level", "baseline"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const { ids } = JSON.parse(out) as { ids: number[] };
    expect((await model.generate(prompt, { maxTokens: 48, seed }).result).ids).toEqual(ids);
  }
});

test("the same seed gives the same text; without one it is told", async () => {
  const first = await model.generate("The cat", { maxTokens: 24 }).result;
  const again = await model.generate("The cat", { maxTokens: 24, seed: first.seed }).result;
  expect(again.text).toBe(first.text);
  expect((await model.generate("The cat", { maxTokens: 24 }).result).seed).not.toBe(first.seed);
});

test("one thread gives what two give", async () => {
  const one = await weft.createEngine({ device: "cpu", threads: 1 });
  const alone = await one.load(file);
  const options = { maxTokens: 40, seed: 5 };
  expect((await alone.generate("A bird", options).result).ids).toEqual((await model.generate("A bird", options).result).ids);
  expect(alone.info.device.threads).toBe(1);
  await one.dispose();
});

test("a stop ends it within a step, and what was made stays", async () => {
  const controller = new AbortController();
  const answer = model.generate("Once", { ignoreEnd: true, signal: controller.signal });
  let parts = 0, stopped = 0, late = 0;
  for await (const part of answer) {
    if (++parts === 10) {
      stopped = performance.now();
      controller.abort();
    }
    late += Number(stopped > 0 && part.text !== "");
  }
  expect(performance.now() - stopped).toBeLessThan(1000);
  const result = await answer.result;
  expect(result.reason).toBe("cancelled");
  expect(result.ids.length).toBeGreaterThanOrEqual(10);
  expect(result.ids.length).toBeLessThan(500);
  expect((await model.generate("Once", { signal: AbortSignal.abort(), maxTokens: 5 }).result).reason).toBe("cancelled");
  expect((await model.generate("Once", { maxTokens: 3 }).result).reason).toBe("max-tokens");
});

test("calls on one model wait for each other; one that is stopped while it waits ends at once", async () => {
  const order: string[] = [];
  const first = model.generate("One", { maxTokens: 100, ignoreEnd: true });
  const second = model.generate("Two", { maxTokens: 100, ignoreEnd: true });
  const third = model.generate("Three", { maxTokens: 5 });
  void second.result.then(() => order.push("second"));
  void first.result.then(() => order.push("first"));
  second.cancel();
  expect((await second.result).ids).toEqual([]);
  await third.result;
  expect(order).toEqual(["second", "first"]);
});

test("stop strings, token ids, log-probabilities, bias", async () => {
  const plain = await model.generate("Once upon a time", { maxTokens: 40, temperature: 0 }).result;
  const word = plain.text.trim().split(/\s+/)[4]!;
  const stopped = await model.generate("Once upon a time", { maxTokens: 40, temperature: 0, stop: [word] }).result;
  expect(stopped.reason).toBe("stop-string");
  expect(stopped.text).toBe(plain.text.slice(0, plain.text.indexOf(word)));
  const ids = await model.tokenize("Once upon a time");
  expect((await model.generate(ids, { maxTokens: 40, temperature: 0 }).result).ids).toEqual(plain.ids);
  const parts = [];
  const scored = model.generate("Once upon a time", { maxTokens: 8, temperature: 0, logprobs: 3 });
  for await (const part of scored) parts.push(part);
  expect((await scored.result).logprobs).toHaveLength(8);
  for (const part of parts) {
    expect(part.best).toHaveLength(3);
    expect(part.best![0]).toEqual({ id: part.id, logprob: part.logprob });
    expect(part.logprob).toBeLessThanOrEqual(0);
  }
  const other = await model.generate("Once upon a time", { maxTokens: 1, temperature: 0, logitBias: { [plain.ids[0]!]: -Infinity } }).result;
  expect(other.ids[0]).not.toBe(plain.ids[0]);
  const end = await model.generate("Once upon a time", { maxTokens: 9, temperature: 0, stopIds: [plain.ids[3]!] }).result;
  expect([end.reason, end.ids]).toEqual(["stop-token", plain.ids.slice(0, 3)]);
});

test("tokenize and detokenize", async () => {
  const text = "Tom said: \"hello\" – twice. ☃";
  const ids = await model.tokenize(text, { bos: false });
  expect((await model.detokenize(ids)).trim()).toBe(text);
  expect(await model.tokenize(text)).toHaveLength(ids.length + 1);
});

test("a conversation is not read twice", async () => {
  const chat = model.chat();
  await chat.send("Tell me a story about a cat.", { maxTokens: 30 }).result;
  const second = await chat.send("And a dog?", { maxTokens: 30 }).result;
  expect(second.stats.keptTokens).toBeGreaterThan(20);
  expect(chat.history.map((m) => m.role)).toEqual(["user", "assistant", "user", "assistant"]);
  expect(await model.template(chat.history.slice(0, 1))).toContain("Tell me a story about a cat.");
  const answer = await model.chat.completions.create({ messages: [{ role: "user", content: "Hi" }], max_tokens: 8, seed: 1, logprobs: true });
  expect(answer.usage.completion_tokens).toBe(answer.choices[0]!.logprobs!.content.length);
  expect(answer.choices[0]!.logprobs!.content.map((t) => t.token).join("").trim()).toBe(answer.choices[0]!.message.content!.trim());
});

test("several models at once, from a path, a Blob and a file URL; then their memory is free again", async () => {
  const blob = new Blob([readFileSync(file)]);
  const others = await Promise.all([engine.load(blob, { context: 128 }), engine.load(new URL(`file://${file}`), { context: 256, kv: "q8_0" })]);
  expect(others.map((m) => m.info.context)).toEqual([128, 256]);
  const answers = [model, ...others].map((m) => m.generate("The sun", { maxTokens: 30, temperature: 0 }).result);
  const texts = (await Promise.all(answers)).map((r) => r.text);
  expect(texts[1]).toBe(texts[0]);
  expect((await engine.memory()).models.weights).toBe(3 * model.info.memory.weights);
  for (const other of others) await other.dispose();
  const { wasmBytes } = await engine.memory();
  for (let cycle = 0; cycle < 10; ++cycle) {
    const again = await engine.load(file);
    await again.generate("The sun", { maxTokens: 4 }).result;
    await again.dispose();
  }
  expect((await engine.memory()).wasmBytes).toBeLessThanOrEqual(wasmBytes + (8 << 20));
});

test("conversations keep their states in sessions of their own", async () => {
  const two = await engine.load(file, { sessions: 2, context: 512 });
  const [a, b] = [two.chat(), two.chat()];
  for (const chat of [a, b]) await chat.send("Tell me about the sea and the sky.", { maxTokens: 12 }).result;
  for (const chat of [a, b]) expect((await chat.send("And?", { maxTokens: 4 }).result).stats.keptTokens).toBeGreaterThan(15);
  await two.dispose();
});

test("progress ends with ready", async () => {
  const seen: Weft.Progress[] = [];
  const other = await engine.load(file, { onProgress: (p) => seen.push(p) });
  expect(seen[0]!.phase).toBe("connecting");
  expect(seen.at(-1)).toMatchObject({ phase: "ready", secondsLeft: 0 });
  expect(seen.some((p) => p.phase === "loading" && p.loaded === p.total)).toBe(true);
  await other.dispose();
});

test("errors say what, where and what to do", async () => {
  const folder = await mkdtemp(join(tmpdir(), "weft-test-"));
  const broken = join(folder, "broken.gguf"), cut = join(folder, "cut.gguf");
  await writeFile(broken, "this is no model, but it is long enough to have a header of some kind");
  await writeFile(cut, readFileSync(file).subarray(0, 1_000_000));
  const code = (promise: Promise<unknown>) => promise.then(() => "none", (e: Weft.WeftError) => (expect(e).toBeInstanceOf(weft.WeftError), expect(e.hint).not.toBe(""), e.code));
  expect(await code(engine.load(join(folder, "none.gguf")))).toBe("not-found");
  expect(await code(engine.load(broken))).toMatch(/bad-file|unsupported/);
  expect(await code(engine.load(cut))).toBe("bad-file");
  expect(await code(engine.load(file, { kv: "q5" as never }))).toBe("invalid-argument");
  expect(await code(engine.load(file, { contxt: 5 } as never))).toBe("invalid-argument");
  expect(await code(engine.load(file, { context: 1e6 }))).toBe("invalid-argument");
  expect(await code(engine.load(file, { sessions: 4000 }))).toBe("invalid-argument");
  expect(await code(model.generate("x ".repeat(3000)).result)).toBe("context-full");
  expect(await code(model.generate("x", { topP: 7 }).result)).toBe("invalid-argument");
  await rm(folder, { recursive: true });
  await expect(engine.load(file, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  expect(await said(model.generate("Still", { maxTokens: 3 }))).not.toBe("");
});

test("what was disposed of cannot be used, and what ran ends", async () => {
  const other = await engine.load(file);
  const running = other.generate("Once", { ignoreEnd: true });
  await other.dispose();
  expect((await running.result).reason).toBe("cancelled");
  await other.dispose();
  expect(() => other.generate("x")).toThrow(/one that was disposed/);
  await expect(other.tokenize("x")).rejects.toMatchObject({ code: "invalid-argument" });
  const gone = await weft.createEngine({ device: "cpu", threads: 1 });
  await gone.dispose();
  await expect(gone.load(file)).rejects.toMatchObject({ code: "cancelled" });
});

test("an engine without its module says where to put it", async () => {
  const missing = weft.createEngine({ device: "cpu", wasmBase: "/nowhere" });
  await expect(missing).rejects.toMatchObject({ code: "io", hint: expect.stringContaining("wasmBase") as string });
});
