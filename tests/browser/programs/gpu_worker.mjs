// The worker that has the GPU: the package's GpuHost over the memory that the program's worker shares. What the host
// would tell the module goes down the line.
import { GpuHost } from "/packages/weft/src/core/gpu.js";
import { numberOf } from "/packages/weft/src/errors.js";
import { GpuLineEnd } from "./gpu_line.mjs";

onmessage = ({ data: { shared, memory, port, adapter } }) => {
  const line = new GpuLineEnd(shared);
  const code = (name) => (name === "ok" ? 0 : numberOf(name));
  const core = {
    bytes: () => new Uint8Array(memory.buffer),
    words: () => new Uint32Array(memory.buffer),
    text: (at, length) => new TextDecoder().decode(new Uint8Array(memory.buffer, at >>> 0, length >>> 0).slice()),
    settle: (number, name, text = "") => line.answer({ number, code: code(name), text }),
    trouble: (number, name, text) => line.answer({ trouble: true, number, code: code(name), text }),
  };
  const imports = new GpuHost(adapter ? navigator.gpu : undefined, core).imports();
  port.onmessage = ({ data: { number, name, values } }) => {
    try {
      line.done(number, imports[name](...values));
    } catch (e) {
      postMessage(`${name} threw ${e}`); // nothing may leave an import
      line.done(number, 0);
    }
  };
  postMessage("ready");
};
