// The worker of Chromium in which a program of tests runs and blocks.
import { GpuLine } from "./gpu_line.mjs";
import { runProgram } from "./program.mjs";

// Files of the checkout, from the server, one after the other.
class Files {
  size(path, folder) {
    const request = new XMLHttpRequest();
    request.open("GET", `/checkout-files?folder=${folder}&path=${encodeURIComponent(path)}`, false);
    request.responseType = "arraybuffer";
    request.send();
    this.found = request.status === 200 ? new Uint8Array(request.response) : undefined;
    return this.found?.length ?? -1;
  }
  read() {
    return this.found;
  }
}

onmessage = async ({ data: { url, memory, shared, port, args, env } }) => {
  let rest = "";
  const print = (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    if (lines.length > 0) postMessage({ lines });
  };
  try {
    const module = await WebAssembly.compileStreaming(fetch(url));
    const gpu = new GpuLine(shared, port);
    const status = await runProgram({ module, memory, args, env, files: new Files(), gpu, print });
    postMessage({ lines: [rest], status });
  } catch (e) {
    postMessage({ lines: [rest, String(e.stack ?? e)], status: 134 });
  }
};
