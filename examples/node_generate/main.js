// A text from the command line: node main.js [--gpu] [--seed N] [MODEL [PROMPT]]
//
// MODEL: a path, a URL or a name on Hugging Face; without one, the built-in model of the repository. A GPU needs the
// package "webgpu" beside this one.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createEngine, WeftError } from "weft";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { gpu: { type: "boolean" }, seed: { type: "string" }, tokens: { type: "string", default: "120" } },
});
const builtIn = fileURLToPath(new URL("../../models/weft-stories-7m-q8_0.gguf", import.meta.url));
const [source = builtIn, prompt = "Once upon a time"] = positionals;
const stopper = new AbortController();
process.once("SIGINT", () => stopper.abort()); // ^C ends the text, another one the program

try {
  const engine = await createEngine({ device: values.gpu ? "webgpu" : "auto" });
  const model = await engine.load(source, {
    signal: stopper.signal,
    onProgress: ({ phase, loaded, total }) => {
      if (phase === "downloading" && total) process.stderr.write(`\r${Math.round((100 * loaded) / total)} %`);
    },
  });
  process.stdout.write(prompt);
  const text = model.generate(prompt, {
    maxTokens: Number(values.tokens),
    repeatPenalty: 1.1,
    signal: stopper.signal,
    ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
  });
  for await (const part of text) process.stdout.write(part.text);
  const { stats, seed } = await text.result;
  console.error(`\n\n${stats.device}: first token after ${stats.ttftMs.toFixed(0)} ms, ${stats.decodeTps.toFixed(0)} tokens/s, seed ${seed}`);
  await engine.dispose();
} catch (error) {
  console.error(WeftError.is(error) ? `${error.message}\n${error.hint}` : error);
  process.exitCode = 1;
}
