// The engine, in its worker: what protocol.ts promises the page.
//
// One model does one thing at a time, in the order of asking; different models take turns by token (CPU) or burst (GPU).
import { generateResult, modelInfo, part, type CoreGenerated, type CoreModel, type CoreToken } from "../answers.js";
import { WeftError } from "../errors.js";
import { generateOptions, loadOptions, randomSeed } from "../options.js";
import type {
  EngineMemory, EngineService, EngineState, GenerateRequest, LoadedModel, LoadRequest, PageService, StartOptions,
} from "../protocol.js";
import { ModelCache } from "../cache/cache.js";
import { openSources, type OpenedModel } from "../sources/open.js";
import type {
  CacheEntry, CacheUsage, ChatMessage, Devices, GenerateResult, MemoryUse, ModelInfo, Part, Progress, TokenizeOptions,
} from "../types.js";
import { Batch } from "./batch.js";
import { checkFit } from "./fit.js";
import { HeldModel } from "./held_model.js";
import { LoadProgress } from "./load_progress.js";
import { Machine, type Choice } from "./machine.js";
import type { Platform } from "./platform.js";
import { Turns } from "./turns.js";

type Report = (progress: Progress) => void;

export class EngineServer implements EngineService {
  private machine_: Machine | undefined;
  private readonly models = new Map<number, HeldModel>();
  private last = 0;
  private readonly cache = new ModelCache();
  /** Threads and names of sources are given to one load after the other. */
  private readonly loads = new Turns();

  constructor(private readonly platform: Platform, private readonly page: () => PageService) {}

  private get machine(): Machine {
    if (this.machine_) return this.machine_;
    throw new WeftError("internal", "the engine was not started");
  }

  private model(number: number): HeldModel {
    const model = this.models.get(number);
    if (model) return model;
    throw WeftError.of("invalid-argument", "model", "a call", "a model that is loaded", "one that was disposed");
  }

  async start(options: StartOptions): Promise<EngineState> {
    this.machine_ = await Machine.start(options, this.platform, this.page());
    return this.machine.state();  // rejects if a GPU was asked for and there is none
  }

  devices(): Promise<Devices> {
    return this.machine.devices();
  }

  // ---- loading ----

  async load(request: LoadRequest, onProgress: Report, signal?: AbortSignal): Promise<LoadedModel> {
    const [answer, info] = await this.loadCore(request, onProgress, signal);
    const model = ++this.last;
    this.models.set(model, new HeldModel(request, this.machine.core, answer.model, answer, info));
    return { model, info };
  }

  private async loadCore(request: LoadRequest, onProgress: Report, signal?: AbortSignal): Promise<[CoreModel, ModelInfo]> {
    const began = performance.now();
    const { options } = request;
    const json = loadOptions(options);
    const progress = new LoadProgress(onProgress);
    const opened = await openSources(request.source as Parameters<typeof openSources>[0], {
      base: request.base || undefined,
      endpoint: options.hub,
      cache: options.cache ?? this.machine.options.cache ?? true,
      verify: options.verify,
      sha256: options.sha256,
      headers: options.headers,
      signal,
      onProgress: (arrival) => progress.arrived(arrival),
    });
    try {
      if (opened.where === "memory" && opened.reason) this.machine.log("warning", `${opened.name} is not kept: ${opened.reason}`);
      const done = await this.loads.next(signal);
      try {
        const [answer, choice] = await this.loadOpened(request, json, opened, progress, signal);
        const info = modelInfo(answer, choice.threads, choice.reason);
        info.loadMs = performance.now() - began;
        const { weights, states, activations } = answer.memory;
        progress.ready(weights + states + activations);
        return [answer, info];
      } finally {
        done();
      }
    } catch (e) {
      opened.stop();
      throw e;
    } finally {
      await opened.close();
    }
  }

  private async loadOpened(
    request: LoadRequest, json: object, opened: OpenedModel, progress: LoadProgress, signal?: AbortSignal,
  ): Promise<[CoreModel, Choice]> {
    const { sources, core } = this.machine;
    const { device, software, threads } = request.options;
    const parts = [...opened.sources.values()];
    for (const part of parts) sources.add(part);
    const run = (choice: Choice) =>
      core.call<CoreModel>("load", { source: opened.name, options: { ...json, ...deviceOptions(choice) } }, {
        signal,
        onEvent: (event: { progress: [number, number] }) => progress.loaded(...event.progress),
        onAsk: async ({ needs }: { needs: MemoryUse }) => {
          this.checkFit(opened.name, needs, choice, request);
          for (const part of parts) await part.begin?.();
        },
      });
    try {
      const choice = await this.machine.choose(device, software, threads);
      try {
        return [await run(choice), choice];
      } catch (e) {
        // The adapter that was seen cannot be used after all: with "auto" that is a reason, not an error.
        const auto = (device ?? this.machine.options.device ?? "auto") === "auto";
        if (choice.kind !== "webgpu" || !auto || !(WeftError.is(e, "no-device") || WeftError.is(e, "unsupported-adapter"))) throw e;
        const other = await this.machine.onCpu(e.message, threads);
        return [await run(other), other];
      }
    } finally {
      for (const part of parts) sources.remove(part);
    }
  }

  private checkFit(file: string, needs: MemoryUse, choice: Choice, request: LoadRequest): void {
    checkFit(file, needs, {
      kind: choice.kind,
      wasmLimit: this.machine.wasmLimit,
      wasmUsed: this.machine.core.size(),
      machine: this.platform.machineMemory(),
      context: request.options.context,
    });
  }

  async recover(number: number, onProgress: Report, signal?: AbortSignal): Promise<ModelInfo> {
    const model = this.model(number);
    const done = await model.turns.next(signal);
    try {
      await model.leave();
      const [answer, info] = await this.loadCore(model.request, onProgress, signal);
      await model.back(answer.model, answer, info, signal);
      return info;
    } finally {
      done();
    }
  }

  async unload(number: number): Promise<void> {
    const model = this.model(number);
    this.models.delete(number);
    model.gone.abort();
    const done = await model.turns.next();
    try {
      if (model.loaded) await this.machine.core.call("unload", { model: model.number });
    } finally {
      done();
    }
  }

  // ---- generation ----

  async generate(request: GenerateRequest, onParts: (parts: Part[]) => void, signal?: AbortSignal): Promise<GenerateResult> {
    const asked = performance.now();
    const model = this.model(request.model);
    const seed = request.options.seed ?? randomSeed();
    const options = generateOptions({ ...request.options, seed });
    const stop = signal ? AbortSignal.any([signal, model.gone.signal]) : model.gone.signal;
    let done: () => void;
    try {
      done = await model.turns.next(stop);
    } catch (e) {
      if (WeftError.is(e, "cancelled")) return nothing(model, seed, performance.now() - asked);
      throw e;
    }
    const parts = new Batch(onParts);
    try {
      const waited = performance.now() - asked;
      const session = await model.session(request.conversation);
      const { text, ids, messages } = request;
      const now = localTime(new Date());
      const prompt = ids ? { ids } : messages ? { messages, now } : { text };
      const answer = await this.machine.core.call<CoreGenerated>("generate", { session, ...prompt, options }, {
        signal: stop,
        onEvent: (token: CoreToken) => parts.add(part(token)),
      });
      return generateResult(answer, model.info.device.kind, seed, waited);
    } finally {
      parts.flush();
      done();
    }
  }

  async tokenize(model: number, text: string, options: TokenizeOptions): Promise<number[]> {
    const parameters = { model: this.model(model).number, text, bos: options.bos ?? true, special: options.special ?? true };
    return (await this.machine.core.call<{ ids: number[] }>("tokenize", parameters)).ids;
  }

  async detokenize(model: number, ids: readonly number[]): Promise<string> {
    return (await this.machine.core.call<{ text: string }>("detokenize", { model: this.model(model).number, ids })).text;
  }

  pieces(model: number, ids: readonly number[]): Promise<string[]> {
    // Some tokenizers leave out the space that the first token of a text begins with: the second one has it.
    return Promise.all(ids.map(async (id) => {
      const [once, twice] = await Promise.all([this.detokenize(model, [id]), this.detokenize(model, [id, id])]);
      return twice.slice(once.length);
    }));
  }

  async template(model: number, messages: readonly ChatMessage[]): Promise<string> {
    const parameters = { model: this.model(model).number, messages, now: localTime(new Date()) };
    return (await this.machine.core.call<{ text: string }>("template", parameters)).text;
  }

  async dump(model: number, what: "graph" | "decode" | "prefill"): Promise<string> {
    return (await this.machine.core.call<{ text: string }>("dump", { model: this.model(model).number, what })).text;
  }

  async memory(): Promise<EngineMemory> {
    const models = { weights: 0, states: 0, activations: 0 };
    for (const { info: { memory } } of this.models.values()) {
      models.weights += memory.weights;
      models.states += memory.states;
      models.activations += memory.activations;
    }
    return { wasmBytes: this.machine.core.size(), models };
  }

  async loseDevice(): Promise<void> {
    this.machine.loseDevices();
  }

  // ---- cache ----

  cacheList(): Promise<CacheEntry[]> {
    return this.cache.list();
  }
  cacheDelete(key: string): Promise<number> {
    return this.cache.delete(key);
  }
  cacheClear(): Promise<void> {
    return this.cache.clear();
  }
  cacheVerify(key: string, signal?: AbortSignal): Promise<boolean> {
    return this.cache.verify(key, signal);
  }
  cacheUsage(): Promise<CacheUsage> {
    return this.cache.usage();
  }
}

function deviceOptions(choice: Choice): object {
  return choice.kind === "cpu" ? { device: "cpu", threads: choice.threads } : { device: "webgpu", software: choice.software };
}

/** A call that was stopped while it waited for those before it. */
function nothing(model: HeldModel, seed: number, waited: number): GenerateResult {
  const { device, loadMs } = model.info;
  const stats = {
    device: device.name, kind: device.kind, kernels: [], loadMs, ttftMs: waited, prefillTokens: 0, keptTokens: 0,
    prefillTps: 0, decodeTokens: 0, decodeTps: 0, submitUs: 0, peakBytes: 0,
  };
  return { text: "", ids: [], promptIds: [], reason: "cancelled", seed, stats };
}

/** "2024-07-26T12:00:00", for templates that write the date. */
function localTime(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}
