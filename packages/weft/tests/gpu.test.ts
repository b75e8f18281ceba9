// The GPU half of the module in Node, on a software GPU.
import { expect, test } from "vitest";
import { create } from "webgpu";
import { makeCore } from "./support/core.js";

test("generates", async () => {
  const gpu = create([]);
  const { core, add, log } = await makeCore(gpu);
  const source = add("models/weft-stories-7m-q8_0.gguf");
  console.log(JSON.stringify(await core.call("devices")));
  let t = performance.now();
  const { model } = await core.call<{ model: number }>("load", { source, options: { device: "webgpu" } });
  console.log("load", performance.now() - t, log.join("\n"));
  const { session } = await core.call<{ session: number }>("open", { model });
  t = performance.now();
  const out = await core.call<{ ids: number[]; text: string; stats: object }>("generate", {
    session,
    text: "Once upon a time",
    options: { max_tokens: 32, temperature: 0 },
  });
  console.log(performance.now() - t, out.text, out.ids.join(","), JSON.stringify(out.stats));
  expect(out.ids.length).toBe(32);
});
