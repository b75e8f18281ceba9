import { expect, test } from "vitest";
import { ProgressMeter } from "../../src/sources/progress.js";
import type { Progress } from "../../src/sources/source.js";

test("speed, time left and where from, over all parts", () => {
  let time = 0;
  const told: Progress[] = [];
  const meter = new ProgressMeter((progress) => told.push(progress), () => time);
  meter.part("a", 1000, 1000, "cache");
  meter.part("b", 3000, 500, "network");
  for (let bytes = 500; bytes <= 2000; bytes += 10) {
    time += 10;
    meter.set("b", bytes, "network"); // 1000 bytes a second
  }
  expect(told.length).toBeGreaterThan(10);
  expect(told.length).toBeLessThan(20); // at most ten a second
  const last = told.at(-1)!;
  expect(last).toMatchObject({ total: 4000, from: "network" });
  expect(last.bytesPerSecond).toBeCloseTo(1000, -2);
  expect(last.secondsLeft).toBeCloseTo((4000 - last.loaded) / 1000, 0);
  meter.set("b", 3000, "network");
  meter.tell();
  expect(told.at(-1)).toMatchObject({ loaded: 4000, secondsLeft: 0 });
});

test("what was there already is no speed, and an unknown size no time", () => {
  const told: Progress[] = [];
  const meter = new ProgressMeter((progress) => told.push(progress), () => told.length * 1000);
  meter.part("a", -1, 0, "network");
  meter.set("a", 1e9, "another-tab");
  expect(told[0]).toMatchObject({ bytesPerSecond: 0, secondsLeft: NaN });
  meter.set("a", 1e9 + 500, "another-tab");
  expect(told.at(-1)).toMatchObject({ bytesPerSecond: 500 });
});
