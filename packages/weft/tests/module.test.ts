// What a trap does, with a module of 200 bytes that has the exports of weft.wasm and traps whenever it is called.
import { expect, test } from "vitest";
import { Core } from "../src/core/module.js";
import { SourceTable } from "../src/core/source_table.js";

const i32 = 0x7f;
const text = (s: string) => [s.length, ...Buffer.from(s)];
const section = (id: number, items: number[][]) => [id, items.flat().length + 1, items.length, ...items.flat()];
const type = (parameters: number, results: number) => [0x60, parameters, ...Array<number>(parameters).fill(i32), results, ...Array<number>(results).fill(i32)];
const nothing = [2, 0, 0x0b], trap = [3, 0, 0x00, 0x0b], thousand = [5, 0, 0x41, 0xe8, 0x07, 0x0b];

const functions = [
  { name: "_initialize", type: 0, body: nothing },
  { name: "weft_alloc", type: 1, body: thousand },
  { name: "weft_call", type: 2, body: trap },
  { name: "weft_cancel", type: 3, body: nothing },
  { name: "weft_settle", type: 4, body: nothing },
];

function trapping(): WebAssembly.Module {
  return new WebAssembly.Module(new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [type(0, 0), type(1, 1), type(5, 0), type(1, 0), type(4, 0)]),
    ...section(3, functions.map((f) => [f.type])),
    ...section(5, [[0, 1]]),
    ...section(7, [[...text("memory"), 2, 0], ...functions.map((f, i) => [...text(f.name), 0, i])]),
    ...section(10, functions.map((f) => f.body)),
  ]));
}

const host = { sources: new SourceTable(), onLog: () => undefined, soon: (f: () => void) => void setImmediate(f) };

test("a trap ends all calls with one error that says what to do", async () => {
  const core = await Core.create({ module: trapping(), ...host });
  const error = await core.call("load").catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "internal", message: expect.stringContaining("unreachable") as string });
  expect(error).toMatchObject({ message: expect.stringContaining("cannot be used any more") as string, hint: expect.stringContaining("createEngine") as string });
  await expect(core.call("version")).rejects.toBe(error);
  core.settle(1, "ok");  // what still arrives meets nobody
});

test("a module of another version is refused by what it asks for", async () => {
  const imports = [...text("weft"), ...text("of_tomorrow"), 0, 0];
  const module = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(1, [type(0, 0)]), ...section(2, [imports])]));
  await expect(Core.create({ module, ...host })).rejects.toMatchObject({
    code: "internal", message: expect.stringContaining("weft.of_tomorrow") as string, hint: expect.stringContaining("same version") as string,
  });
});
