import { askPersistence } from "./cache/persist.js";
import type { ThreadStart } from "./core/threads.js";
import { WeftError } from "./errors.js";
import { Model } from "./model.js";
import type { EngineMemory, EngineService, EngineState, PageService } from "./protocol.js";
import { connect, type Connection, type Port } from "./rpc.js";
import type {
  CacheEntry, CacheUsage, DeviceInfo, Devices, EngineOptions, LoadOptions, ModelSource,
} from "./types.js";

/** How workers are made: in a browser (index.ts) or in Node (node.ts). */
export interface Host {
  startEngine(): { port: Port; end(): void };
  /** `ready` once it waits for work; `failed` before that, or when it breaks later. */
  startThread(start: ThreadStart, ready: () => void, failed: (why: string) => void): { end(): void };
  wasm(base: string | URL | undefined): { single: string; threads: string };
  /** What relative addresses of models are relative to; "" where they are paths. */
  base(): string;
}

/** Models that this origin keeps, for all its pages. */
export interface Cache {
  list(): Promise<CacheEntry[]>;
  /** By key or URL. How many entries went. */
  delete(keyOrUrl: string): Promise<number>;
  /** Everything, also what broken downloads left behind. */
  clear(): Promise<void>;
  /** Reads a model and compares its SHA-256; a damaged one is removed. */
  verify(key: string, signal?: AbortSignal): Promise<boolean>;
  usage(): Promise<CacheUsage>;
  /** Asks the browser not to remove models by itself; done once when the first model is loaded, too. */
  persist(): Promise<{ persisted: boolean; reason: string }>;
}

const patience = 10_000;  // ms that a thread gets to start

/**
 * The engine, from `createEngine`. It computes in a worker of its own: nothing here blocks the page.
 *
 *     const engine = await createEngine();
 *     console.log(engine.reason);            // "on NVIDIA H200 through WebGPU", "on the CPU: this browser has …"
 */
export class Engine {
  /** Where models are loaded to, unless a load says otherwise. */
  readonly device: DeviceInfo;
  /** Why there, in words. */
  readonly reason: string;
  readonly cache: Cache;
  private readonly models = new Set<Model>();
  private askedToPersist = false;

  private constructor(private readonly host: Host, private readonly service: EngineService, state: EngineState, private readonly end: () => void) {
    this.device = state.device;
    this.reason = state.reason;
    this.cache = {
      list: () => service.cacheList(),
      delete: (key) => service.cacheDelete(key),
      clear: () => service.cacheClear(),
      verify: (key, signal) => service.cacheVerify(key, signal),
      usage: () => service.cacheUsage(),
      persist: () => askPersistence(),
    };
  }

  /** @internal */
  static async create(host: Host, options: EngineOptions = {}): Promise<Engine> {
    const { onLog, wasmBase, ...rest } = options;
    const worker = host.startEngine();
    const threads: { end(): void }[] = [];
    let connection: Connection<EngineService> | undefined;
    const endAll = (why: WeftError) => {
      connection?.end(why);
      worker.end();
      for (const thread of threads) thread.end();
    };
    const page: PageService = {
      startThreads: async (starts) => {
        await Promise.all(starts.map((start) => startThread(host, start, threads, endAll)));
      },
      log: async (level, text) => onLog?.(level, text),
    };
    connection = connect<EngineService>(worker.port, page);
    try {
      const state = await connection.remote.start({ ...rest, wasm: host.wasm(wasmBase) });
      return new Engine(host, connection.remote, state, () => endAll(new WeftError("cancelled", "the engine was disposed")));
    } catch (e) {
      endAll(WeftError.from(e));
      throw e;
    }
  }

  /**
   * Loads a model: a URL, a name on Hugging Face, a File, a file handle, in Node also a path. Before its weights are
   * read it is known whether it fits: else "insufficient-memory" or "quota-exceeded", with figures and a way out.
   *
   *     const model = await engine.load("https://example.org/model.gguf", { onProgress: ({ loaded, total }) => … });
   */
  async load(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
    const { onProgress, signal, ...rest } = options;
    const plain = source instanceof URL ? source.href : source;
    if (typeof plain === "string" && rest.cache !== false) this.persistOnce();
    const request = { source: plain, base: this.host.base(), options: rest };
    const loaded = await this.service.load(request, onProgress ?? (() => undefined), signal);
    const model: Model = new Model(this.service, loaded, () => this.models.delete(model));
    this.models.add(model);
    return model;
  }

  /** What there is to compute on, what would be taken and why. */
  devices(): Promise<Devices> {
    return this.service.devices();
  }

  /** What the engine and its models take now. */
  memory(): Promise<EngineMemory> {
    return this.service.memory();
  }

  /** As if the GPU had been reset or removed: to try what a page does then. */
  loseDevice(): Promise<void> {
    return this.service.loseDevice();
  }

  /** Disposes of all models and ends the workers. */
  async dispose(): Promise<void> {
    await Promise.allSettled([...this.models].map((model) => model.dispose()));
    this.end();
  }

  private persistOnce(): void {
    if (this.askedToPersist) return;
    this.askedToPersist = true;
    void askPersistence();
  }
}

async function startThread(host: Host, start: ThreadStart, threads: { end(): void }[], endAll: (why: WeftError) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    let ready = false;
    const over = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(over, patience);
    const thread = host.startThread(
      start,
      () => {
        ready = true;
        over();
      },
      (why) => {
        // Before it was ready there is one thread fewer; later a part of a computation is missing.
        if (ready) endAll(new WeftError("internal", `a thread of the engine stopped: ${why}; this engine cannot be used any more`, {
          hint: "make a new engine with createEngine(); please report the message",
        }));
        over();
      },
    );
    threads.push(thread);
  });
}
