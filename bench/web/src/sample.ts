// One sample: loads one engine in this page, answers once to warm up, then the measured answers. The job comes by
// window.runJob(job), from the runner or from the page around.
import type { Job, Load, Loaded, Run, Sample } from "./types.js";

const engines: Record<string, () => Promise<{ load: Load }>> = {
  weft: () => import("./engines/weft.js"),
  wllama: () => import("./engines/wllama.js"),
  "transformers.js": () => import("./engines/transformers.js"),
  WebLLM: () => import("./engines/webllm.js"),
};

async function adapterName(): Promise<string> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return "none";
  const { vendor, architecture, description, device } = adapter.info;
  const named = [vendor, architecture, description || device].filter(Boolean).join(" ");
  return `${named || "unnamed"}${adapter.features.has("shader-f16") ? ", f16" : ", no f16"}${adapter.info.isFallbackAdapter ? ", fallback" : ""}`;
}

// Tokens that arrive together with the first (a burst) took no time of their own: they do not count as decoded.
async function measure(model: Loaded, prompt: number[], tokens: number): Promise<Run> {
  const start = performance.now();
  let first = 0, last = 0, count = 0, early = 0;
  const own = await model.generate(prompt, tokens, (n) => {
    last = performance.now();
    first ||= last;
    count += n;
    if (last - first < 0.5) early = count;
  });
  const run = { ttftMs: first - start, prefillTps: (1000 * (own?.promptTokens ?? prompt.length)) / (first - start),
    decodeTps: count > early ? (1000 * (count - early)) / (last - first) : 0, tokens: count };
  if (count < tokens * 0.9) throw new Error(`only ${count} of ${tokens} tokens came`);
  return own ? { ...run, own } : run;
}

async function pageBytes(): Promise<number> {
  const measurable = performance as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> };
  if (!crossOriginIsolated || !measurable.measureUserAgentSpecificMemory) return 0;
  const never = new Promise<{ bytes: number }>((settle) => setTimeout(() => settle({ bytes: 0 }), 5000));
  return (await Promise.race([measurable.measureUserAgentSpecificMemory(), never])).bytes;
}

// A prompt that differs from answer to answer, so that nothing kept from the one before helps.
function promptOf(length: number, round: number): number[] {
  return Array.from({ length }, (_, i) => 300 + ((i * 37 + round * 101) % 600));
}

async function run(job: Job): Promise<Sample> {
  const sample: Sample = { engine: job.engine, gpu: job.gpu, threads: job.threads, dtype: job.dtype, device: null, adapter: "none",
    loadMs: 0, runs: [], pageBytes: 0 };
  let model: Loaded | undefined;
  try {
    if (job.gpu) sample.adapter = await adapterName();
    const { load } = await engines[job.engine]!();
    const start = performance.now();
    model = await load(job);
    sample.loadMs = performance.now() - start;
    await measure(model, promptOf(job.prompt, 0), Math.min(job.tokens, 8));
    for (let i = 1; i <= job.runs; ++i) sample.runs.push(await measure(model, promptOf(job.prompt, i), job.tokens));
    sample.device = model.device();
    sample.pageBytes = await pageBytes();
    const { kind, threads } = sample.device;
    if ((kind === "gpu") !== job.gpu) sample.error = `fell back: asked for ${job.gpu ? "a GPU" : "the CPU"}, ran on ${sample.device.name}`;
    else if (!job.gpu && threads !== job.threads) sample.error = `fell back: asked for ${job.threads} threads, ran on ${threads}`;
  } catch (error) {
    console.error(error);
    sample.error = error instanceof Error ? error.message || error.name : String(error);
  }
  await model?.dispose().catch(() => {});
  return sample;
}

declare global {
  interface Window {
    runJob(job: Job): Promise<Sample>;
  }
}
window.runJob = run;
document.title = "ready";
