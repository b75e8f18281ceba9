// Weft by its public interface.
import { createEngine, type Statistics } from "weft";
import { contextFor, type Load } from "../types.js";

export const load: Load = async (job) => {
  const engine = await createEngine({ device: job.gpu ? "webgpu" : "cpu", threads: job.gpu ? undefined : job.threads });
  const model = await engine.load(job.gguf!, { context: contextFor(job), burst: job.burst });
  const { device } = model.info;
  let last: Statistics | undefined;
  return {
    device: () => ({ kind: device.kind === "webgpu" ? "gpu" : "cpu", name: last?.device ?? device.name, threads: device.threads }),
    async generate(prompt, tokens, onTokens) {
      const answer = model.generate(prompt, { maxTokens: tokens, temperature: 0, ignoreEnd: true });
      for await (const part of answer) if (part.id >= 0) onTokens(1);
      last = (await answer.result).stats;
      return { prefillTps: last.prefillTps, decodeTps: last.decodeTps, submitUs: last.submitUs };
    },
    async dispose() {
      await model.dispose();
      await engine.dispose();
    },
  };
};
