// Generation through the module and GpuHost, in Node on a software GPU. One token takes SwiftShader most of a second, so
// that there are few of them.
import { expect, test, vi } from "vitest";
import { create } from "webgpu";
import { WeftError } from "../src/errors.js";
import { isBuilt, makeCore, openModel, type Build } from "./support/core.js";
import { watched } from "./support/watched_gpu.js";

const model = "models/weft-stories-7m-q8_0.gguf";
vi.setConfig({ testTimeout: 600_000 });
const there = process.env["WEFT_TEST_HAS_GPU"] === "1" && isBuilt("wasm");

interface Generated {
  ids: number[];
  stats: { device: string; decode_tps: number };
}
const request = (session: number, tokens: number) => ({
  session,
  text: "Once upon a time",
  options: { max_tokens: tokens, temperature: 0 },
});

test.skipIf(!there).each<Build>(["wasm", "wasm-threads"])("gives the CPU's greedy tokens (%s)", async (build) => {
  if (!isBuilt(build)) return;
  const tokens = 8;
  const spent = new Map<string, { calls: number; ms: number }>();
  const test = await makeCore(create([]), build, (imports) => {
    for (const [name, f] of Object.entries(imports))
      imports[name] = (...values) => {
        const begin = performance.now();
        const out = f(...values);
        const entry = spent.get(name) ?? { calls: 0, ms: 0 };
        spent.set(name, { calls: entry.calls + 1, ms: entry.ms + performance.now() - begin });
        return out;
      };
  });
  const session = await openModel(test, model, { device: "webgpu" });
  spent.clear();
  const generated = await test.core.call<Generated>("generate", request(session, tokens));
  expect(generated.stats.device).toMatch(/^webgpu/);
  if (process.env["WEFT_TEST_VERBOSE"]) console.log(build, generated.stats.decode_tps, Object.fromEntries(spent));

  const cpu = await makeCore(undefined);
  const expected = await cpu.core.call<Generated>("generate", request(await openModel(cpu, model, { device: "cpu" }), tokens));
  expect(expected.stats.device).toMatch(/^cpu/);
  expect(generated.ids).toEqual(expected.ids);
});

test.skipIf(!there)("a device that is lost in the middle ends the generation, and another load works", async () => {
  const devices: GPUDevice[] = [];
  const test = await makeCore(watched(create([]), devices));
  const session = await openModel(test, model, { device: "webgpu", burst: 1 });
  let events = 0;
  const generating = test.core.call("generate", request(session, 100), {
    onEvent: () => {
      if (++events === 2) devices[0]!.destroy();
    },
  });
  const error = await generating.then(() => undefined, (e: unknown) => e);
  expect(WeftError.is(error, "device-lost")).toBe(true);
  expect(events).toBeGreaterThanOrEqual(2);
  await expect(test.core.call("generate", request(session, 1))).rejects.toMatchObject({ code: "device-lost" });

  const { model: again } = await test.core.call<{ model: number }>("load", { source: model, options: { device: "webgpu" } });
  const { session: other } = await test.core.call<{ session: number }>("open", { model: again });
  expect((await test.core.call<Generated>("generate", request(other, 1))).ids.length).toBe(1);
});

// Loads on a device that `spoil` was done to, and gives the error.
async function loadOn(spoil: (device: GPUDevice) => void): Promise<unknown> {
  const devices: GPUDevice[] = [];
  devices.push = (device) => (spoil(device), 1);
  const test = await makeCore(watched(create([]), devices));
  return openModel(test, model, { device: "webgpu" }).catch((e: unknown) => e);
}

test.skipIf(!there)("a GPU without room for the model says out-of-memory", async () => {
  class GPUOutOfMemoryError {
    message = "vkAllocateMemory failed";
  }
  let left = 60;
  const error = await loadOn((device) => {
    const pop = device.popErrorScope.bind(device);
    device.popErrorScope = async () => (await pop()) ?? (--left === 0 ? new GPUOutOfMemoryError() : null);
  });
  expect(WeftError.is(error, "out-of-memory"), String(error)).toBe(true);
  expect((error as WeftError).message).toMatch(/a buffer of \d+ bytes: .*vkAllocateMemory failed/);
});

test.skipIf(!there)("a kernel that the GPU's compiler refuses is named, with the line", async () => {
  let label = "";
  const error = await loadOn((device) => {
    const make = device.createShaderModule.bind(device);
    device.createShaderModule = (descriptor) => {
      if (!label && descriptor.label?.includes("norm")) label = descriptor.label!;
      const spoiled = descriptor.label === label && label ? descriptor.code + "\nfn broken() { nonsense(); }" : descriptor.code;
      return make({ ...descriptor, code: spoiled });
    };
  });
  expect(WeftError.is(error, "bad-shader"), String(error)).toBe(true);
  expect((error as WeftError).message).toMatch(/line \d+, column \d+: expected a valid kernel, found .*nonsense/);
  expect((error as WeftError).message).toContain(label);
});

test.skipIf(!there)("without WebGPU the error says so", async () => {
  const test = await makeCore(undefined);
  const error = await openModel(test, model, { device: "webgpu" }).catch((e: unknown) => e);
  expect(WeftError.is(error, "no-device"), String(error)).toBe(true);
});
