// The benchmark page. The peers' own files that are found by address at run time go to peers/.
import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig } from "vite";

const here = import.meta.dirname;
const onnx = dirname(createRequire(join(createRequire(import.meta.url).resolve("@huggingface/transformers"), "..")).resolve("onnxruntime-web"));
const name = "ort-wasm-simd-threaded.asyncify";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022", chunkSizeWarningLimit: 10000, modulePreload: false,
    rolldownOptions: { input: { index: join(here, "index.html"), sample: join(here, "sample.html") } },
  },
  worker: { format: "es" },
  plugins: [{
    name: "peers",
    writeBundle({ dir }) {
      mkdirSync(join(dir!, "peers"), { recursive: true });
      for (const file of [`${name}.mjs`, `${name}.wasm`]) copyFileSync(join(onnx, file), join(dir!, "peers", file));
    },
  }],
});
