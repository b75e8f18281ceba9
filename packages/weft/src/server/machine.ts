// The module in its place: which of the two builds, how many threads, which GPUs, and why, in words.
//
//   const machine = await Machine.start(options, platform, page);
//   machine.core.call(…); await machine.choose({ device: "auto", threads: 4 });
import { gpuInfo, type CoreGpu } from "../answers.js";
import { GpuHost } from "../core/gpu.js";
import type { ImportFunctions } from "../core/abi.js";
import { Core } from "../core/module.js";
import { SourceTable } from "../core/source_table.js";
import { maxThreads, Threads } from "../core/threads.js";
import { WeftError } from "../errors.js";
import type { PageService, StartOptions } from "../protocol.js";
import type { DeviceChoice, DeviceInfo, Devices, GpuInfo, LogLevel } from "../types.js";
import type { Platform } from "./platform.js";

export interface Choice {
  kind: "webgpu" | "cpu";
  software: boolean;
  threads: number;
  reason: string;
}

const page = 65536;

export class Machine {
  readonly sources = new SourceTable();
  core!: Core;
  private threads: Threads | undefined;
  private gpus: GpuInfo[] = [];
  private noGpu = "";
  private oneThread = "";
  wasmLimit = 4 * 2 ** 30;
  /** As if the GPU had been reset: for tests. */
  loseDevices: () => void = () => undefined;

  private constructor(readonly options: StartOptions, readonly platform: Platform, private readonly page_: PageService) {}

  static async start(options: StartOptions, platform: Platform, page: PageService): Promise<Machine> {
    const machine = new Machine(options, platform, page);
    await machine.startCore();
    if (options.device !== "cpu") await machine.findGpus();
    return machine;
  }

  private async startCore(): Promise<void> {
    const { options, platform } = this;
    const asked = options.threads ?? platform.cores();
    if (!Number.isInteger(asked) || asked < 1)
      throw WeftError.of("invalid-argument", "createEngine", "threads", `1 to ${maxThreads}`, String(asked));
    const why = asked > 1 ? platform.notIsolated() : undefined;
    this.oneThread = why ?? (asked > 1 ? "" : options.threads === 1 ? "one thread was asked for" : "the processor has one");
    const shared = this.oneThread === "";
    const gpu = options.device === "cpu" ? { reason: "the CPU was asked for" } : await platform.gpu();
    if ("reason" in gpu) this.noGpu = gpu.reason;
    const module = await compile(platform, shared ? options.wasm.threads : options.wasm.single);
    const memory = shared ? this.sharedMemory() : undefined;
    if (shared) this.threads = new Threads((starts) => this.page_.startThreads(starts));
    this.core = await Core.create({
      module,
      memory,
      sources: this.sources,
      threads: this.threads,
      gpu: (core) => this.gpuImports(new GpuHost("gpu" in gpu ? gpu.gpu : undefined, core).imports()),
      onLog: (level, text) => this.log((["debug", "info", "warning"] as const)[level] ?? "warning", text),
      soon: (callback) => platform.soon(callback),
    });
    if (memory) this.threads?.attach(this.core, module, memory);
  }

  private gpuImports(imports: ImportFunctions): ImportFunctions {
    const { gpu_open: open, gpu_close: close, gpu_lose: lose } = imports;
    const opened = new Set<number>();
    this.loseDevices = () => opened.forEach((gpu) => void lose!(gpu));
    return {
      ...imports,
      gpu_open: (operation, gpu, ...rest) => (opened.add(gpu!), open!(operation!, gpu!, ...rest)),
      gpu_close: (gpu) => (opened.delete(gpu!), close!(gpu!)),
    };
  }

  /** As much address space as the browser gives: some phones refuse 4 GB. */
  private sharedMemory(): WebAssembly.Memory {
    for (let maximum = 65536; ; maximum /= 2) {
      try {
        // The module's own least is less than 32 MB; memory grows as it is needed.
        const memory = new WebAssembly.Memory({ initial: 512, maximum, shared: true });
        this.wasmLimit = maximum * page;
        return memory;
      } catch (e) {
        if (maximum <= 4096) throw new WeftError("out-of-memory", `weft.wasm: no memory to begin with: ${String(e)}`, { cause: e });
      }
    }
  }

  log(level: LogLevel, text: string): void {
    void this.page_.log(level, text).catch(() => undefined);
  }

  private async findGpus(): Promise<void> {
    if (this.noGpu) return;
    try {
      const { devices } = await this.core.call<{ devices: CoreGpu[] }>("devices", { options: {} });
      this.gpus = devices.map(gpuInfo);
      if (devices.length === 0) this.noGpu = "WebGPU gave no adapter";
    } catch (e) {
      this.noGpu = WeftError.from(e).message.replace(/^GPU: /, "");
    }
  }

  /** Threads of a model: 1, or as many as are free once missing ones were started. */
  async threadsFor(asked: number | undefined): Promise<number> {
    if (!this.threads) return 1;
    const wanted = Math.min(asked ?? this.options.threads ?? this.platform.cores(), maxThreads);
    await this.threads.ensure(wanted - 1);
    return Math.max(1, Math.min(wanted, 1 + this.threads.idle()));
  }

  private threadsReason(threads: number, asked: number | undefined): string {
    const wanted = asked ?? this.options.threads ?? this.platform.cores();
    if (!this.threads) return wanted > 1 && this.oneThread ? `1 thread: ${this.oneThread}` : "1 thread";
    return threads < wanted ? `${count(threads)} of ${wanted}: no more could be started` : count(threads);
  }

  private usableGpu(software: boolean): GpuInfo | undefined {
    return this.gpus.find((gpu) => software || !gpu.software);
  }

  private whyNoGpu(): string {
    const soft = this.gpus.find((gpu) => gpu.software);
    return soft ? `the only GPU is software (${soft.name})` : this.noGpu || "there is no GPU";
  }

  /** Where a load computes. Rejects only if a GPU was asked for and there is none. */
  async choose(device: DeviceChoice | undefined, software: boolean | undefined, threads: number | undefined): Promise<Choice> {
    const asked = device ?? this.options.device ?? "auto";
    if (!["auto", "webgpu", "cpu"].includes(asked))
      throw WeftError.of("invalid-argument", "load", "device", "auto, webgpu or cpu", String(asked));
    const soft = asked === "webgpu" || (software ?? this.options.software ?? false);
    const gpu = asked === "cpu" ? undefined : this.usableGpu(soft);
    if (gpu) return { kind: "webgpu", software: soft, threads: 1, reason: `on ${gpu.name} through WebGPU` };
    if (asked === "webgpu") throw WeftError.of("no-device", "load", "device", "a GPU that WebGPU can use", this.whyNoGpu());
    return this.onCpu(asked === "cpu" ? "it was asked for" : this.whyNoGpu(), threads);
  }

  async onCpu(why: string, threads: number | undefined): Promise<Choice> {
    const given = await this.threadsFor(threads);
    return { kind: "cpu", software: false, threads: given, reason: `on the CPU: ${why}; ${this.threadsReason(given, threads)}` };
  }

  /** What a load without options would choose. */
  async state(): Promise<{ device: DeviceInfo; reason: string }> {
    const { kind, software, threads, reason } = await this.choose(undefined, undefined, undefined);
    const gpu = kind === "webgpu" ? this.usableGpu(software) : undefined;
    if (gpu) return { device: { kind, name: gpu.name, threads: 0, gpu }, reason };
    return { device: { kind: "cpu", name: `WebAssembly SIMD, ${count(threads)}`, threads }, reason };
  }

  async devices(): Promise<Devices> {
    const { platform } = this;
    const { reason } = await this.state();
    const threads = this.threads ? Math.min(this.options.threads ?? platform.cores(), maxThreads) : 1;
    const cpu = { threads, cores: platform.cores(), isolated: platform.notIsolated() === undefined };
    return { cpu: { ...cpu, reason: this.oneThread || "as many as the processor has" }, gpus: this.gpus, reason };
  }
}

function count(threads: number): string {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

async function compile(platform: Platform, url: string): Promise<WebAssembly.Module> {
  try {
    return await platform.compile(url);
  } catch (e) {
    if (WeftError.is(e)) throw e;
    if (e instanceof WebAssembly.CompileError)
      throw new WeftError("unsupported", `${url}: it does not compile here: ${e.message}`, {
        hint: "Chrome 116, Edge 116, Firefox 124, Safari 18.2 or newer runs it: it needs SIMD and tail calls", where: url, cause: e,
      });
    throw new WeftError("io", `${url}: it could not be fetched: ${String(e)}`, {
      hint: "serve weft.wasm and weft.threads.wasm beside the package, or name their folder by { wasmBase }", where: url, cause: e,
    });
  }
}
