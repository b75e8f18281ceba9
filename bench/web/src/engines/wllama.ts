// wllama: llama.cpp in WebAssembly. It prints whether layers went to a GPU; that is the only place where it says so.
import { Wllama, type RawCompletionParams } from "@wllama/wllama";
import wasm from "@wllama/wllama/esm/wasm/wllama.wasm?url";
import { contextFor, type Load } from "../types.js";

export const load: Load = async (job) => {
  const lines: string[] = [];
  const note = (...words: unknown[]): void => void lines.push(words.join(" "));
  const engine = new Wllama({ default: new URL(wasm, location.href).href }, { logger: { debug: note, log: note, warn: note, error: note } });
  const options = { n_ctx: contextFor(job), n_batch: 512, n_parallel: 1, n_threads: job.threads, n_gpu_layers: job.gpu ? 99999 : 0, warmup: false };
  if (typeof job.gguf === "string") await engine.loadModelFromUrl(job.gguf, options);
  else await engine.loadModel([job.gguf!], options);
  const text = lines.join("\n"), gpu = /WebGPU.*buffer size/.test(text);
  const name = gpu ? "llama.cpp WebGPU" : "llama.cpp wasm";
  return {
    device: () => ({ kind: gpu ? "gpu" : "cpu", name, threads: engine.getNumThreads() }),
    async generate(prompt, tokens, onTokens) {
      let seen = 0;
      let own;
      // It takes no ids: a digit a token, after the one that begins every text. It counts tokens whose text is held back.
      const text = prompt.slice(1).map((id) => id % 10).join("");
      const options = { prompt: text, max_tokens: tokens, temperature: 0, ignore_eos: true, cache_prompt: false, timings_per_token: true };
      await engine.createCompletion({ ...(options as unknown as RawCompletionParams), stream: true, onData: ({ timings }) => {
        if (!timings) return;
        onTokens(timings.predicted_n - seen);
        seen = timings.predicted_n;
        own = { promptTokens: timings.prompt_n, prefillTps: timings.prompt_per_second, decodeTps: timings.predicted_per_second };
      } });
      return own;
    },
    dispose: () => engine.exit(),
  };
};
