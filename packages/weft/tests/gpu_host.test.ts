// The imports gpu_* one by one, on a software GPU in Node: what they compute, and each way to fail.
import { afterEach, expect, test, vi } from "vitest";
import { create } from "webgpu";
import { FakeModule } from "./support/fake_module.js";
import { watched } from "./support/watched_gpu.js";

const there = process.env["WEFT_TEST_HAS_GPU"] === "1";
const devices: GPUDevice[] = [];
const gpu = there ? watched(create([]), devices) : undefined;
const opened: FakeModule[] = [];
afterEach(() => opened.splice(0).forEach((module) => module.call("gpu_close", 1)));
async function open(shared = false): Promise<FakeModule> {
  const module = new FakeModule(gpu, shared);
  await module.open();
  opened.push(module);
  return module;
}

const twice = `
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { b[id.x] = 2 * a[id.x]; }`;
const bindings = [0, 1, 1, 2]; // read_only, storage
const kHigh = 5 << 20; // a handle's generation, which is no part of its place

test.skipIf(!there).each([false, true])("computes from and to a memory that is shared: %s", async (shared) => {
  const m = await open(shared);
  expect(await m.buffer(1, 16)).toEqual({ code: "ok", text: "" });
  expect((await m.buffer(kHigh | 2, 1024)).code).toBe("ok");
  expect((await m.pipeline(3, twice, bindings)).code).toBe("ok");
  const entries = [0, 1, 0, 0, 16, 0, 1, kHigh | 2, 256, 0, 16, 0];
  m.call("gpu_create_group", 1, 4, 3, m.put(entries)[0], 2);
  const [numbers] = m.put([1, 2, 3, 40]);
  m.call("gpu_write", 1, 1, 0, numbers, 16);
  const commands = [0, 3, 4, 1, 1, 1, 1, kHigh | 2, 1, 260, 0, 0, 0, 8, 0, 2, kHigh | 2, 260, 0, 4, 0];
  m.call("gpu_submit", 1, ...m.put(commands));
  expect([...(await m.read(kHigh | 2, 256, 16))]).toEqual([2, 0, 6, 80]);
  expect([...(await m.read(1, 0, 16))]).toEqual([4, 6, 3, 40]);
  expect(m.call("gpu_staging", 1)).toBe(256);
  expect((await m.ended("gpu_finish", 1, 1)).code).toBe("ok");
  expect(m.troubles).toEqual([]);
});

test.skipIf(!there)("times passes", async () => {
  const m = await open();
  await Promise.all([m.buffer(1, 1024), m.buffer(2, 1024), m.pipeline(3, twice, bindings)]);
  m.call("gpu_create_group", 1, 4, 3, m.put([0, 1, 0, 0, 1024, 0, 1, 2, 0, 0, 1024, 0])[0], 2);
  m.call("gpu_submit", 1, ...m.put([3, 0, 0, 3, 4, 64, 1, 1, 3, 4095, 0, 3, 4, 64, 1, 1]));
  m.call("gpu_begin_timestamps", 1, 9, 4096);
  expect((await m.ended("gpu_await_read", 1, 1, 9)).code).toBe("ok");
  m.call("gpu_take_read", 1, 9, 1 << 20, 16 * 4096);
  const times = new BigUint64Array(m.bytes().buffer, 1 << 20, 2 * 4096);
  expect(times[1]).toBeGreaterThanOrEqual(times[0]!);
  expect(times[2 * 4095 + 1]).toBeGreaterThanOrEqual(times[2 * 4095]!);
  expect(times[2 * 4095]).toBeGreaterThanOrEqual(times[0]!);
  expect(times[2]).toBe(0n);
  expect(m.troubles).toEqual([]);
});

test.skipIf(!there)("names the line and the message of a kernel that does not compile", async () => {
  const m = await open();
  const wrong = twice.replace("2 * a[id.x]", "2 * nothing[id.x]");
  const { code, text } = await m.pipeline(3, wrong, bindings);
  expect(code).toBe("bad-shader");
  expect(text).toMatch(/^line 4, column \d+\n.*nothing/);
  const other = await m.pipeline(3, twice.replace("fn main", "fn other"), bindings);
  expect(other.code).toBe("bad-shader");
  expect(other.text).toMatch(/main/);
  const layout = await m.pipeline(3, twice, [0, 1]); // binding 1 is missing
  expect(layout.code).toBe("bad-shader");
  expect((await m.pipeline(3, twice, bindings)).code).toBe("ok");
  expect(m.troubles).toEqual([]);
});

test.skipIf(!there)("refuses a buffer that is too large, and goes on", async () => {
  const m = await open();
  const { code, text } = await m.buffer(1, 2 ** 40);
  expect(["out-of-memory", "invalid-argument"]).toContain(code);
  expect(text).toContain("1099511627776");
  expect((await m.buffer(2, 4096)).code).toBe("ok");
  expect(m.troubles).toEqual([]);
});

test.skipIf(!there)("tells of memory that the GPU does not have as out-of-memory", async () => {
  class GPUOutOfMemoryError {
    message = "no\nmemory";
  }
  const m = await open();
  const device = devices.at(-1)!;
  vi.spyOn(device, "popErrorScope").mockResolvedValueOnce(null).mockResolvedValueOnce(new GPUOutOfMemoryError());
  expect(await m.buffer(1, 4096)).toEqual({ code: "out-of-memory", text: "no memory" });
});

test.skipIf(!there)("reports wrong commands later", async () => {
  const m = await open();
  await m.buffer(1, 16);
  m.call("gpu_submit", 1, ...m.put([1, 1, 1, 0, 0, 0, 0, 16, 0])); // a copy onto itself
  expect((await m.ended("gpu_finish", 1, 1)).code).toBe("ok");
  await vi.waitFor(() => expect(m.troubles.length).toBeGreaterThan(0));
  expect(m.troubles[0]!.code).toBe("invalid-argument");
  m.troubles.length = 0;
  m.call("gpu_submit", 1, ...m.put([77]));
  expect(m.troubles[0]).toEqual({ code: "internal", text: "command 77 at word 0" });
});

test.skipIf(!there)("keeps going when nobody takes a read", async () => {
  const m = await open();
  await m.buffer(1, 1024);
  m.call("gpu_begin_read", 1, 5, 1, 0, 1024);
  m.call("gpu_take_read", 1, 5, 0, 0); // before it is mapped
  expect(m.call("gpu_staging", 1)).toBe(0);
  m.call("gpu_begin_read", 1, 5, 1, 0, 1024);
  expect((await m.ended("gpu_await_read", 1, 1, 5)).code).toBe("ok");
  m.call("gpu_take_read", 1, 5, 0, 0);
  expect(m.call("gpu_staging", 1)).toBe(1024);
  expect([...(await m.read(1, 0, 8))]).toEqual([0, 0]);
  m.call("gpu_begin_read", 1, 5, 99, 0, 8); // no such buffer
  expect((await m.ended("gpu_await_read", 1, 1, 5)).code).toBe("internal");
});

test.skipIf(!there)("a lost device ends what waits", async () => {
  const m = await open();
  await m.buffer(1, 1024);
  m.call("gpu_begin_read", 1, 5, 1, 0, 1024);
  const waiting = [m.ended("gpu_await_read", 1, 1, 5), m.pipeline(3, twice, bindings)];
  m.call("gpu_lose", 1);
  for (const { code } of await Promise.all(waiting)) expect(["device-lost", "ok"]).toContain(code);
  await vi.waitFor(() => expect(m.troubles[0]?.code).toBe("device-lost"));
  expect((await waiting[0]!).code).toBe("device-lost");
});

test("says that there is no WebGPU", async () => {
  const none = new FakeModule(undefined);
  expect(await none.ended("gpu_adapters", 0)).toEqual({ code: "no-device", text: "no WebGPU here" });
  const empty = new FakeModule({ requestAdapter: async () => null } as unknown as GPU);
  expect((await empty.ended("gpu_adapters", 0)).code).toBe("no-device");
  const broken = new FakeModule({ requestAdapter: () => Promise.reject(new Error("gone")) } as unknown as GPU);
  expect((await broken.ended("gpu_adapters", 0)).text).toContain("gone");
  expect((await none.ended("gpu_open", 0, 1, 0, ...none.put("{}"))).code).toBe("no-device");
  expect((await none.ended("gpu_finish", 1, 1)).code).toBe("internal");
});
