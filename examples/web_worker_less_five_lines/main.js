// A model in a page, in five lines. The page needs no worker of its own: the package brings the one it computes in.
import { createEngine } from "weft";
const engine = await createEngine();
const model = await engine.load("weft-stories-7m-q8_0.gguf"); // beside the page; the name of a hub's file does as well
for await (const part of model.generate("Once upon a time", { maxTokens: 100 })) document.querySelector("#story").append(part.text);
await model.dispose();
