// Makes dist/: the compiled package with its two WebAssembly modules beside it.
//
//   npm run build -w weft
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..");
const root = join(folder, "../..");
const dist = join(folder, "dist");
const modules = [["wasm", "weft.wasm"], ["wasm-threads", "weft.threads.wasm"]];

// What a source that is gone left behind goes too; the rest stays for those who are reading it.
if (existsSync(dist))
  for (const name of readdirSync(dist, { recursive: true }))
    if (/\.(js|d\.ts)$/.test(name) && !existsSync(join(folder, "src", name.replace(/\.(js|d\.ts)$/, ".ts")))) rmSync(join(dist, name));
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
try {
  execFileSync(process.execPath, [tsc, "-p", folder], { stdio: "inherit" });
} catch {
  process.exit(1);
}
for (const [preset, name] of modules) {
  const from = join(root, "build", preset, "host/web/weft.wasm"), to = join(dist, name);
  if (!existsSync(from)) {
    console.error(`weft: ${from} is missing: cmake --preset ${preset} && ninja -C build/${preset} weft`);
    process.exitCode = 1;
  } else if (!existsSync(to) || statSync(from).mtimeMs > statSync(to).mtimeMs) {
    copyFileSync(from, to);
  }
}
