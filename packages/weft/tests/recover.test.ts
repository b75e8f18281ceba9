// A device that is lost under a conversation, and comes back when asked: the built package in Node on a software GPU.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import type * as Weft from "../src/node.js";

const root = resolve(import.meta.dirname, "../../..");
const dist = join(root, "packages/weft/dist/node.js");
const there = process.env["WEFT_TEST_HAS_GPU"] === "1" && existsSync(dist);

test.skipIf(!there)("recover() gives the same model with its conversation", { timeout: 900_000 }, async () => {
  const weft = (await import(dist)) as typeof Weft;
  const engine = await weft.createEngine({ device: "webgpu" });
  expect(engine.device).toMatchObject({ kind: "webgpu", gpu: { software: true } });
  const model = await engine.load(join(root, "models/weft-stories-7m-q8_0.gguf"), { context: 256, burst: 2 });
  expect(model.info.device.kind).toBe("webgpu");
  const options = { maxTokens: 3, temperature: 0 };
  const before = await model.generate("Once upon a time", options).result;

  const running = model.generate("Once upon a time", { ...options, maxTokens: 200, ignoreEnd: true });
  for await (const part of running) if (part.id >= 0) break;
  await running.result;
  await engine.loseDevice();
  await expect(model.generate("Once upon a time", options).result).rejects.toMatchObject({ code: "device-lost" });
  await expect(model.generate("Once upon a time", options).result).rejects.toMatchObject({ code: "device-lost" });

  expect(await model.recover()).toBe(model);
  const after = await model.generate("Once upon a time", options).result;
  expect(after.ids).toEqual(before.ids);
  expect(after.stats.keptTokens).toBeGreaterThan(0);  // they were read again by recover()
  await engine.dispose();
});
