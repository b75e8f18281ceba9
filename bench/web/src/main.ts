// The page: takes models by hand, lets engines take turns in frames, shows what came out. The headless runner does the
// measuring itself and only has its samples shown (window.showReport).
import { nameOf, rows, type Row } from "./report.js";
import type { Job, Sample } from "./types.js";
import { lines, show } from "./view.js";

const one = <T extends HTMLElement>(selector: string): T => document.querySelector<T>(selector)!;
const status = one("#status");

function report(samples: Sample[], facts: object = {}): { rows: Row[]; text: string } {
  const made = rows(samples);
  show(one("#report"), made);
  one("#json").textContent = JSON.stringify({ ...facts, rows: made, samples }, null, 2);
  return { rows: made, text: lines(made) };
}

function jobs(form: FormData): Job[] {
  const number = (name: string): number => Number(form.get(name)), text = (name: string): string => String(form.get(name) ?? "").trim();
  const gguf = form.get("gguf") as File, onnx = (form.getAll("onnx") as File[]).filter((f) => f.size);
  const threads = text("threads").split(",").map(Number).filter((n) => n > 0);
  const common = { prompt: number("prompt"), tokens: number("tokens"), runs: 1 };
  const engines: Omit<Job, "gpu" | "threads" | keyof typeof common>[] = [];
  if (gguf.size) engines.push({ engine: "weft", gguf }, { engine: "wllama", gguf });
  if (onnx.length) engines.push({ engine: "transformers.js", onnx, dtype: text("dtype") });
  const settings = [...(form.has("gpu") ? [{ gpu: true, threads: 1 }] : []),
    ...(form.has("cpu") ? threads.map((n) => ({ gpu: false, threads: n })) : [])];
  const listed = settings.flatMap((setting) => engines.map((engine): Job => ({ ...common, ...setting, ...engine })));
  const webllm = text("library") ? { library: text("library"), weights: text("weights") } : undefined;
  return [...listed, { ...common, engine: "WebLLM", gpu: true, threads: 1, webllm }];
}

// A frame of its own for each, so that nothing of one engine is left when the next begins.
async function inFrame(job: Job): Promise<Sample> {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = "sample.html";
  document.body.append(frame);
  const inside = frame.contentWindow!;
  while (!inside.runJob) await new Promise((settle) => setTimeout(settle, 20));
  const sample = await inside.runJob(job);
  frame.remove();
  return sample;
}

one<HTMLFormElement>("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target as HTMLFormElement), listed = jobs(form), samples: Sample[] = [];
  const button = one<HTMLButtonElement>("form button");
  button.disabled = true;
  for (let round = 1; round <= Number(form.get("rounds")); ++round)
    for (const job of listed) {
      if (samples.some((s) => s.error && nameOf(s) === nameOf(job))) continue;
      status.textContent = `Round ${round}: ${nameOf(job)} …`;
      samples.push(await inFrame(job));
      report(samples, { browser: navigator.userAgent });
    }
  status.textContent = "Done.";
  button.disabled = false;
});
one("#copy").addEventListener("click", () => void navigator.clipboard.writeText(one("#json").textContent ?? ""));

declare global {
  interface Window {
    showReport: typeof report;
  }
}
window.showReport = report;
document.title += " ✓";
