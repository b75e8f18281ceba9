// What differs between the places that a worker runs in: browser_worker.ts and node_worker.ts.
export interface Platform {
  /** The module at an address. Rejects with WebAssembly.CompileError where the engine lacks what it uses. */
  compile(url: string): Promise<WebAssembly.Module>;
  /** Calls back from the event loop, after what waits there already. */
  soon(callback: () => void): void;
  cores(): number;
  /** Undefined: memory can be shared with other workers. Else why not, in words. */
  notIsolated(): string | undefined;
  /** WebGPU, or why there is none, in words. */
  gpu(): Promise<{ gpu: GPU } | { reason: string }>;
  /** Bytes of memory of the machine, if it tells. */
  machineMemory(): number | undefined;
}
