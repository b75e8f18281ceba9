// The page of a program: starts both workers and hands on what the program prints (window.weftPrint, of run.mjs).
import { newLine } from "./gpu_line.mjs";

// Resolves to the exit status.
window.weftRun = (url, gpu, args, env) =>
  new Promise((resolve, reject) => {
    const memory = new WebAssembly.Memory({ initial: 1024, maximum: 65536, shared: true });
    const shared = newLine();
    const { port1, port2 } = new MessageChannel();
    const worker = (name) => {
      const made = new Worker(new URL(name, import.meta.url), { type: "module" });
      made.onerror = (e) => reject(new Error(`${name}: ${e.message}`));
      return made;
    };
    const program = worker("./worker.mjs");
    program.onmessage = ({ data: { lines, status } }) => {
      void window.weftPrint(lines.join("\n")).then(() => status !== undefined && resolve(status));
    };
    const host = worker("./gpu_worker.mjs");
    host.onmessage = ({ data }) => {
      if (data !== "ready") return void window.weftPrint(data);
      program.postMessage({ url, memory, shared, port: port1, args, env }, [port1]);
    };
    host.postMessage({ shared, memory, port: port2, adapter: gpu }, [port2]);
  });
