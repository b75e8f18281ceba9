// What a page downloads: each module, raw and as a server compresses it.
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";

test.each(["weft.wasm", "weft.threads.wasm"])("%s has at most 1.2 MB, compressed 400 KB", (name) => {
  const bytes = readFileSync(new URL(`../dist/${name}`, import.meta.url));
  expect(bytes.length).toBeLessThanOrEqual(1_200_000);
  expect(brotliCompressSync(bytes).length).toBeLessThanOrEqual(400_000);  // quality 11 is zlib's default
});
