// Chromium as the tests use it: headless, an empty profile, and a software GPU of choice.
//
//   const browser = await launch("lavapipe");     // f16, subgroups of 8
//   const page = await browser.context.newPage();
//   await browser.close();
//
// swiftshader: no f16, subgroups of 4. none: no WebGPU. A GPU that does not come up is an error of the page that asks
// for it; adapterOf() says which it is.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const root = resolve(import.meta.dirname, "../../..");
const shim = join(root, ".deps/chromium_lavapipe.so");

// Without the sandbox the GPU's process can load the driver.
const common = ["--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--ignore-gpu-blocklist", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"];

export const gpus = ["swiftshader", "lavapipe"];

export async function launch(gpu, { args = [] } = {}) {
  if (gpu === "lavapipe" && !existsSync(shim)) throw new Error(`no ${shim}: ./dev setup test`);
  const webgpu = gpu === "none" ? ["--disable-features=WebGPUService,WebGPU", "--disable-webgpu"]
    : ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
  const folder = mkdtempSync(join(process.env.WEFT_PROFILE_ROOT ?? tmpdir(), "weft-browser-"));
  const env = { ...process.env };
  if (gpu === "lavapipe") env.LD_PRELOAD = shim; // tests/browser/vulkan/lavapipe_shim.c
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: "/usr/lib/chromium/chromium",
    headless: false, // the flag says so
    env,
    args: [...common, ...webgpu, ...args],
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
