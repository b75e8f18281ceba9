// Chromium by its DevTools pipe, with nothing but Node: what a machine without npm's packages can carry along.
//
//   const browser = await launch({ program: "/usr/lib/chromium/chromium", gpu: "swiftshader" });
//   const page = await browser.open("http://127.0.0.1:8000/");
//   await page.evaluate("document.title");
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const common = ["--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--ignore-gpu-blocklist", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--disable-dev-shm-usage",
  "--disable-renderer-backgrounding", "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
  "--enable-blink-features=ForceEagerMeasureMemory", "--remote-debugging-pipe"];
const software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
export const gpus = {
  none: ["--disable-features=WebGPUService,WebGPU"],
  swiftshader: software,
  lavapipe: software, // a library loaded first puts it in SwiftShader's place
  native: ["--enable-unsafe-webgpu", "--ozone-platform=headless", "--enable-features=Vulkan", "--use-angle=vulkan",
    "--use-vulkan=native", "--disable-vulkan-surface", "--disable-gpu-watchdog", "--disable-gpu-compositing"],
};

export async function launch({ program, gpu, shim = "", args = [] }) {
  const profile = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const env = { ...process.env };
  if (gpu === "lavapipe") {
    if (!existsSync(shim)) throw new Error(`no ${shim}: ./dev setup test`);
    env.LD_PRELOAD = shim;
  }
  const child = spawn(program, [...common, ...gpus[gpu], `--user-data-dir=${profile}`, ...args, "about:blank"],
    { env, stdio: ["ignore", "ignore", process.env.WEFT_BENCH_LOG ? "inherit" : "ignore", "pipe", "pipe"] });
  const waiting = new Map();
  let next = 0, rest = Buffer.alloc(0), ended = "";
  const end = (why) => {
    ended ||= why;
    for (const { reject } of waiting.values()) reject(new Error(ended));
    waiting.clear();
  };
  child.on("error", (error) => end(String(error)));
  child.on("exit", (code, signal) => end(`Chromium ended (${signal ?? code})`));
  child.stdio[3].on("error", () => {});
  child.stdio[4].on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    for (let at; (at = rest.indexOf(0)) >= 0; rest = rest.subarray(at + 1)) {
      const message = JSON.parse(rest.subarray(0, at).toString());
      if (message.method === "Inspector.targetCrashed" || message.method === "Target.targetCrashed") {
        for (const [id, call] of waiting)
          if (call.page) {
            waiting.delete(id);
            call.reject(new Error("the page's process crashed"));
          }
      }
      const call = waiting.get(message.id);
      if (!call) continue;
      waiting.delete(message.id);
      if (message.error) call.reject(new Error(message.error.message));
      else call.resolve(message.result);
    }
  });
  const send = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    if (ended) return void reject(new Error(ended));
    waiting.set(++next, { resolve, reject, page: sessionId });
    child.stdio[3].write(`${JSON.stringify({ id: next, method, params, sessionId })}\0`);
  });

  await send("Target.setDiscoverTargets", { discover: true });
  return {
    version: async () => (await send("Browser.getVersion")).product,
    // Resident memory at its highest, by process: { type, pid, bytes }.
    async processes() {
      const { processInfo } = await send("SystemInfo.getProcessInfo");
      return processInfo.map(({ type, id }) => {
        const status = existsSync(`/proc/${id}/status`) ? readFileSync(`/proc/${id}/status`, "utf8") : "";
        return { type, pid: id, bytes: 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) };
      });
    },
    async open(url, { width = 1200, height = 900 } = {}) {
      const { targetId } = await send("Target.createTarget", { url, width, height, newWindow: true });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      await send("Inspector.enable", {}, sessionId);
      return {
        // Until the expression is true; there is nothing to ask before the page has begun to load.
        async until(expression, seconds = 60) {
          for (const end = Date.now() + seconds * 1000; ;) {
            if (await this.evaluate(expression).catch(() => false)) return;
            if (ended || Date.now() > end) throw new Error(ended || `${url}: not ready in ${seconds} s`);
            await new Promise((settle) => setTimeout(settle, 30));
          }
        },
        async evaluate(expression) {
          const { result, exceptionDetails } = await send("Runtime.evaluate",
            { expression, awaitPromise: true, returnByValue: true, userGesture: true }, sessionId);
          if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
          return result.value;
        },
        async screenshot() {
          const { data } = await send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true }, sessionId);
          return Buffer.from(data, "base64");
        },
        close: () => send("Target.closeTarget", { targetId }),
      };
    },
    async close() {
      const gone = new Promise((settle) => child.exitCode !== null || child.signalCode !== null ? settle() : child.once("exit", settle));
      await send("Browser.close").catch(() => {});
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await gone;
      clearTimeout(timer);
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
