import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Sha256 } from "../../src/cache/sha256.js";

function bytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.imul(i + size, 2654435761) >>> 24);
}

test("equals Node's at every border of blocks and buffers, in pieces of any size", () => {
  for (const size of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 65471, 65472, 65473, 200_001]) {
    const data = bytes(size);
    const expected = createHash("sha256").update(data).digest("hex");
    expect(Sha256.hex(data), `${size} bytes`).toBe(expected);
    for (const step of [1, 63, 64, 1000]) {
      if (size / step > 2000) continue;
      const hash = new Sha256();
      for (let at = 0; at < size; at += step) hash.update(data.subarray(at, at + step));
      expect(hash.hex(), `${size} bytes by ${step}`).toBe(expected);
      expect(hash.length).toBe(size);
    }
  }
});

test("goes on from a saved state, and is not ended by hex()", () => {
  const data = bytes(100_000);
  for (const cut of [0, 1, 64, 77, 99_999]) {
    const first = new Sha256().update(data.subarray(0, cut));
    first.hex();
    const second = Sha256.resume(first.state());
    expect(second.update(data.subarray(cut)).hex()).toBe(Sha256.hex(data));
    expect(first.update(data.subarray(cut)).hex()).toBe(Sha256.hex(data));
  }
});

test("two at a time do not mix", () => {
  const a = new Sha256(), b = new Sha256();
  const data = bytes(500);
  for (let at = 0; at < 500; at += 50) a.update(data.subarray(at, at + 50)), b.update(data.subarray(at, at + 25));
  expect(a.hex()).toBe(Sha256.hex(data));
  expect(b.hex()).not.toBe(a.hex());
});
