// Threads of the core: workers that were started before, each an instance of the module over the same memory with a
// stack of its own, asleep until a pool of the core takes them. Pools may come and go, also side by side.
//
//   const threads = new Threads(startThreads);          // startThreads: makes the workers, on the page
//   threads.attach(core, module, memory);
//   await threads.ensure(3);                            // threads.idle() >= 3 now, or as many as could be started
//
// A worker is told what to do through its line of the control block, four words of shared memory: state, argument,
// number. It sleeps on the state and says there when it is ready (thread_main.ts).
import type { Core, ThreadHost } from "./module.js";

export const lineWords = 4;
export const maxThreads = 32;
/** Values of a line's first word. */
export const State = { starting: 0, ready: 1, working: 2 } as const;

/** What a worker needs to become a thread; sent by the page. */
export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  control: SharedArrayBuffer;
  line: number;
  /** Address of the memory that is its own; stackBytes of it are stack, thread-local storage follows. */
  place: number;
}

/** Starts workers; resolves once each of them is ready or has failed. */
export type StartThreads = (starts: ThreadStart[]) => Promise<void>;

/** A worker keeps no arrays of a kernel's working memory on it: native ones use less than 100 KB. */
export const stackBytes = 512 << 10;
export const localBytes = 64 << 10;

export class Threads implements ThreadHost {
  private readonly control = new SharedArrayBuffer(maxThreads * lineWords * 4);
  private readonly words = new Int32Array(this.control);
  private lines = 0;
  private core: Core | undefined;
  private module: WebAssembly.Module | undefined;
  private memory: WebAssembly.Memory | undefined;
  private starting: Promise<void> = Promise.resolve();

  constructor(private readonly startThreads: StartThreads) {}

  attach(core: Core, module: WebAssembly.Module, memory: WebAssembly.Memory): void {
    this.core = core;
    this.module = module;
    this.memory = memory;
  }

  /** Starts workers until `count` are idle, or as many as there can be. One at a time, so that nobody counts twice. */
  ensure(count: number): Promise<void> {
    const next = this.starting.then(() => this.start_(count));
    this.starting = next.catch(() => undefined);
    return next;
  }

  private async start_(count: number): Promise<void> {
    const { core, module, memory } = this;
    if (!core || !module || !memory) return;
    const starts: ThreadStart[] = [];
    for (let missing = count - this.idle(); missing > 0 && this.lines < maxThreads; --missing) {
      const line = this.lines++;
      const place = (core.alloc(stackBytes + localBytes) + 63) & ~63;
      starts.push({ module, memory, control: this.control, line, place: place >>> 0 });
    }
    if (starts.length > 0) await this.startThreads(starts);
  }

  idle(): number {
    let count = 0;
    for (let line = 0; line < this.lines; ++line)
      if (Atomics.load(this.words, line * lineWords) === State.ready) ++count;
    return count;
  }

  start(count: number, argument: number): boolean {
    if (this.idle() < count) return false;
    for (let line = 0, number = 1; number <= count; ++line) {
      const at = line * lineWords;
      if (Atomics.load(this.words, at) !== State.ready) continue;
      this.words[at + 1] = argument | 0;
      this.words[at + 2] = number++;
      Atomics.store(this.words, at, State.working);
      Atomics.notify(this.words, at);
    }
    return true;
  }
}
