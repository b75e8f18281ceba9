// The page: index.html and its parts, the package's worker and wasm, the model of models/, and sw.js that keeps them all.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

const root = import.meta.dirname;

// Threads of WebAssembly need a page that other sites' windows and files cannot reach into.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** Writes the names of the page's files into the service worker, and the licences of its fonts beside it. */
function offline(): Plugin {
  let out = "";
  return {
    name: "weft-offline",
    apply: "build",
    configResolved(config) {
      out = resolve(root, config.build.outDir);
    },
    closeBundle() {
      const fonts = join(root, "../../node_modules/@fontsource-variable");
      mkdirSync(join(out, "licences"), { recursive: true });
      for (const font of ["literata", "instrument-sans"]) copyFileSync(join(fonts, font, "LICENSE"), join(out, `licences/${font}.txt`));
      const all = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const files = all.map((entry) => relative(out, join(entry.parentPath, entry.name)).replaceAll("\\", "/")).sort();
      const wanted = files.filter((file) => !/^(sw\.js|licences\/.*|.*\.(br|gz))$/.test(file));
      const hash = createHash("sha256");
      for (const file of wanted) hash.update(file).update(readFileSync(join(out, file)));
      const models = wanted.filter((file) => file.endsWith(".gguf"));
      const list = { shell: wanted.filter((file) => !models.includes(file)), models, hash: hash.digest("hex").slice(0, 16) };
      const worker = join(out, "sw.js");
      writeFileSync(worker, readFileSync(worker, "utf8").replaceAll("__FILES__", JSON.stringify(list)));
    },
  };
}

export default defineConfig({
  base: "./",
  root,
  assetsInclude: ["**/*.gguf"],
  worker: { format: "es" },
  server: { headers, fs: { allow: [join(root, "../..")] } },
  preview: { headers },
  plugins: [offline()],
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // those that know light-dark(); rewritten for others it would not follow the switch
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { page: join(root, "index.html"), sw: join(root, "src/sw.ts") },
      output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
});
