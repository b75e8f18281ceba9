// What a thread's worker does: an instance of its own over the shared memory, then works whenever a pool of the core
// takes it (threads.ts). It never returns to its event loop; it ends by being terminated.
import { lineWords, localBytes, stackBytes, State, type ThreadStart } from "./threads.js";

interface ThreadExports {
  __stack_pointer: WebAssembly.Global;
  __tls_size: WebAssembly.Global;
  __wasm_init_tls(address: number): void;
  weft_thread(argument: number, worker: number): void;
}

/** `ready` is called once, before the first sleep; what is thrown before that is why there is no thread. */
export async function runThread(start: ThreadStart, ready: () => void): Promise<never> {
  const refuse = (name: string) => () => {
    throw new Error(`a thread of the core called ${name}`);
  };
  const imports: WebAssembly.Imports = {};
  for (const { module, name, kind } of WebAssembly.Module.imports(start.module))
    (imports[module] ??= {})[name] = kind === "memory" ? start.memory : refuse(name);
  const instance = await WebAssembly.instantiate(start.module, imports);
  const exports = instance.exports as unknown as ThreadExports;
  if (exports.__tls_size.value > localBytes)
    throw new Error(`${exports.__tls_size.value} bytes of thread-local storage, room for ${localBytes}`);
  // Stacks grow downwards, from a multiple of 16.
  exports.__stack_pointer.value = (start.place + stackBytes) | 0;
  exports.__wasm_init_tls((start.place + stackBytes) | 0);

  const words = new Int32Array(start.control);
  const at = start.line * lineWords;
  Atomics.store(words, at, State.ready);
  ready();
  for (;;) {
    while (Atomics.load(words, at) !== State.working) Atomics.wait(words, at, State.ready);
    exports.weft_thread(words[at + 1]!, words[at + 2]!);
    Atomics.store(words, at, State.ready);
  }
}
