#!/usr/bin/env node
// The benchmark without a screen: Weft and others in one Chromium, engine after engine, round after round, each sample in a
// page (and process) of its own. `./dev bench web --help` says the options.
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gpus, launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";
import { files, shapes, writeModel } from "./tools/onnx_model.mjs";

const help = `./dev bench web [options]
  --gpu swiftshader|lavapipe|native|none  where WebGPU runs (swiftshader); none: the CPU alone
  --cpu yes|no          the CPU too (yes)
  --model NAME:TYPE     of \`weft synth\` (smollm2-135m:q8_0); transformers.js gets the same shapes
  --onnx q8|q4|q4f16    format of transformers.js's file (CPU q8, GPU q4; with q4_0: q4)
  --only NAME[,NAME]    engines whose names contain one of these ("weft", "wllama CPU", …)
  --threads N[,N]       threads on the CPU (1,2)
  --rounds N            turns of every engine; the first loads cold (3)
  --runs N              measured answers a turn (2)
  --prompt N --tokens N tokens read (128) and generated (64)
  --burst N             tokens that Weft's GPU works ahead; 1: each is read back
  --limit S             seconds a sample may take (300)
  --json FILE           everything measured; --screenshot FILE: the page with it
  --serve PORT          only serve the page, to be used by hand
Exit status 1 if a sample failed, also because it ran on another device than it was asked for.`;

const { values: o } = parseArgs({ options: {
  gpu: { type: "string", default: "swiftshader" }, cpu: { type: "string", default: "yes" }, model: { type: "string", default: "smollm2-135m:q8_0" },
  onnx: { type: "string" }, only: { type: "string", default: "" }, threads: { type: "string", default: "1,2" },
  rounds: { type: "string", default: "3" }, runs: { type: "string", default: "2" }, prompt: { type: "string", default: "128" },
  tokens: { type: "string", default: "64" }, burst: { type: "string" }, limit: { type: "string", default: "300" }, json: { type: "string" },
  screenshot: { type: "string" }, serve: { type: "string" }, help: { type: "boolean", short: "h" },
  chromium: { type: "string", default: "/usr/lib/chromium/chromium" }, weft: { type: "string" }, models: { type: "string" },
} });
if (o.help) {
  console.log(help);
  process.exit(0);
}
const fail = (why) => {
  console.error(`bench web: ${why}`);
  process.exit(2);
};
const root = resolve(import.meta.dirname, "../..");
const models = resolve(o.models ?? join(root, "build/bench-web/models"));
mkdirSync(models, { recursive: true });
const folders = { "/": join(import.meta.dirname, "dist"), "/models/": models };
if (!existsSync(join(folders["/"], "index.html"))) fail("the page is not built: npm run build -w weft-bench-web");
if (o.serve) {
  console.log((await serve(folders, Number(o.serve))).origin);
  await new Promise(() => {});
}
if (!gpus[o.gpu]) fail(`--gpu: ${Object.keys(gpus).join(", ")}, not '${o.gpu}'`);
const [shape, type = "q8_0"] = o.model.split(":");
if (!shapes[shape]) fail(`--model: ${Object.keys(shapes).join(", ")}, not '${shape}'`);
const threads = o.threads.split(",").map(Number);
if (!threads.every((n) => Number.isInteger(n) && n > 0)) fail("--threads: whole numbers, e.g. 1,2");

function ggufFile() {
  const name = `${shape}-${type}.gguf`, path = join(models, name);
  if (!existsSync(path)) {
    execFileSync(o.weft ?? join(root, "build/release/weft"), ["synth", shape, `${path}.tmp`, "--type", type], { stdio: "ignore" });
    renameSync(`${path}.tmp`, path);
  }
  return `models/${name}`;
}

function onnxFolder(format) {
  const name = `${shape}-onnx`, path = join(models, name);
  if (!existsSync(join(path, "onnx", files[format] ?? fail(`--onnx: ${Object.keys(files).join(", ")}`)))) writeModel(shape, path, format);
  return `models/${name}/`;
}

function jobs() {
  const common = { prompt: Number(o.prompt), tokens: Number(o.tokens), runs: Number(o.runs) };
  const gpuDtype = o.onnx ?? "q4", cpuDtype = o.onnx ?? (type === "q4_0" ? "q4" : "q8");
  const settings = [...(o.gpu === "none" ? [] : [{ gpu: true, threads: 1 }]), ...(o.cpu === "no" ? [] : threads.map((n) => ({ gpu: false, threads: n })))];
  const listed = settings.flatMap((setting) => ["weft", "wllama", "transformers.js"].map((engine) =>
    ({ ...common, ...setting, engine, ...(engine === "transformers.js" ? { dtype: setting.gpu ? gpuDtype : cpuDtype } : {}),
      ...(engine === "weft" && setting.gpu && o.burst ? { burst: Number(o.burst) } : {}) })));
  const label = (job) => `${job.engine} ${job.gpu ? "GPU" : "CPU"}`;
  const wanted = o.only.split(",").map((s) => s.trim().toLowerCase()).filter(Boolean);
  const kept = listed.filter((job) => !wanted.length || wanted.some((w) => label(job).toLowerCase().includes(w)));
  if (!kept.length) fail(`--only ${o.only}: no such engine`);
  for (const job of kept)
    if (job.dtype) job.onnx = onnxFolder(job.dtype);
    else job.gguf = ggufFile();
  return kept;
}

const timed = (promise, seconds) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not done in ${seconds} s`)), seconds * 1000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

async function sampleOf(browser, origin, job) {
  const before = new Set((await browser.processes()).map((p) => p.pid));
  const page = await browser.open(`${origin}/sample.html`);
  let sample;
  try {
    await page.until("!!window.runJob");
    sample = await timed(page.evaluate(`runJob(${JSON.stringify(job)})`), Number(o.limit));
  } catch (error) {
    const { engine, gpu, threads, dtype } = job;
    sample = { engine, gpu, threads, dtype, device: null, adapter: "", loadMs: 0, runs: [], pageBytes: 0, error: error.message };
  }
  const processes = await browser.processes();
  const highest = (list) => Math.max(0, ...list.map((p) => p.bytes));
  sample.rssBytes = highest(processes.filter((p) => p.type === "renderer" && !before.has(p.pid)));
  sample.gpuRssBytes = job.gpu ? highest(processes.filter((p) => p.type === "GPU")) : 0;
  await page.close().catch(() => {});
  return sample;
}

const list = jobs();
const server = await serve(folders);
const browser = await launch({ program: o.chromium, gpu: o.gpu, shim: join(root, ".deps/chromium_lavapipe.so") });
const samples = [];
const failed = new Set();
const started = Date.now();
const nameOf = (job) => `${job.engine} ${job.gpu ? "GPU" : `CPU ${job.threads}`}`;
try {
  for (let round = 0; round < Number(o.rounds); ++round)
    for (const job of list) {
      if (failed.has(nameOf(job))) continue;
      const cold = !samples.some((s) => s.engine === job.engine && s.dtype === job.dtype);
      const sample = { ...await sampleOf(browser, server.origin, job), cold };
      samples.push(sample);
      if (sample.error) failed.add(nameOf(job));
      const run = sample.runs.at(-1);
      console.error(`round ${round + 1}, ${nameOf(job)}: ${sample.error ? `FAILED: ${sample.error}`
        : `load ${sample.loadMs.toFixed(0)} ms, prefill ${run?.prefillTps.toFixed(1)}, decode ${run?.decodeTps.toFixed(1)} tok/s`}`);
    }
  if (!o.only && o.gpu !== "none")
    samples.push({ engine: "WebLLM", gpu: true, threads: 1, device: null, adapter: "", loadMs: 0, runs: [], pageBytes: 0,
      error: "needs a compiled model library" });
  const page = await browser.open(`${server.origin}/`);
  const facts = { model: o.model, gpu: o.gpu, browser: await browser.version(), prompt: Number(o.prompt), tokens: Number(o.tokens),
    rounds: Number(o.rounds), runs: Number(o.runs), seconds: (Date.now() - started) / 1000 };
  await page.until("!!window.showReport");
  const { rows, text } = await page.evaluate(`showReport(${JSON.stringify(samples)}, ${JSON.stringify(facts)})`);
  console.log(`${o.model}, prompt ${o.prompt}, ${o.tokens} tokens, ${facts.browser}, WebGPU: ${samples.find((s) => s.gpu)?.adapter || "none"}\n${text}`);
  if (o.json) writeFileSync(o.json, `${JSON.stringify({ ...facts, rows, samples }, null, 2)}\n`);
  if (o.screenshot) writeFileSync(o.screenshot, await page.screenshot());
} finally {
  await browser.close();
  server.close();
}
process.exitCode = failed.size ? 1 : 0;
