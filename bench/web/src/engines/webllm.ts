// WebLLM: needs its weights and a library compiled for the model's shapes.
import { CreateMLCEngine } from "@mlc-ai/web-llm";
import type { Load } from "../types.js";

export const load: Load = async (job) => {
  if (!job.webllm) throw new Error("needs a compiled model library");
  const model = { model: job.webllm.weights, model_id: "given", model_lib: job.webllm.library };
  const engine = await CreateMLCEngine("given", { appConfig: { model_list: [model] } });
  const name = await engine.getGPUVendor();
  return {
    device: () => ({ kind: "gpu", name, threads: 0 }),
    async generate(prompt, tokens, onTokens) {
      // It takes texts only: a word a token, roughly; its own count of the prompt is what counts.
      const parts = await engine.completions.create({ prompt: "the ".repeat(prompt.length).trim(), max_tokens: tokens, ignore_eos: true,
        temperature: 0, stream: true, stream_options: { include_usage: true } });
      let own;
      for await (const part of parts) {
        if (part.choices.length) onTokens(1);
        const extra = part.usage?.extra;
        if (extra) own = { promptTokens: part.usage!.prompt_tokens, prefillTps: extra.prefill_tokens_per_s, decodeTps: extra.decode_tokens_per_s };
      }
      return own;
    },
    dispose: () => engine.unload(),
  };
};
