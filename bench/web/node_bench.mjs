// Weft in Node with the webgpu package, measured as the page measures: node_bench.mjs FILE [PROMPT [TOKENS [RUNS]]]
import { createEngine } from "weft";

const [file, prompt = 128, tokens = 128, runs = 3] = process.argv.slice(2).map((v, i) => (i ? Number(v) : v));
const engine = await createEngine({ device: "webgpu", cache: false });
const model = await engine.load(file, { context: Math.ceil((prompt + tokens + 16) / 256) * 256 });
const answers = [];
for (let round = 0; round <= runs; ++round) {
  const ids = Array.from({ length: prompt }, (_, i) => 300 + ((i * 37 + round * 101) % 600));
  const { stats } = await model.generate(ids, { maxTokens: tokens, temperature: 0, ignoreEnd: true }).result;
  if (round) answers.push(stats);
}
const median = (key) => answers.map((s) => s[key]).sort((a, b) => a - b)[answers.length >> 1];
console.log(JSON.stringify({ node: process.version, device: answers[0].device, kind: answers[0].kind, loadMs: model.info.loadMs,
  ttftMs: median("ttftMs"), prefillTps: median("prefillTps"), decodeTps: median("decodeTps"), submitUs: median("submitUs") }));
await model.dispose();
await engine.dispose();
process.exit(answers.every((s) => s.kind === "webgpu") ? 0 : 1);
