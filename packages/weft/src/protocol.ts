/**
 * The two interfaces between page and worker. rpc.ts derives both ends from them: what is written here is all there is.
 */
import type { ThreadStart } from "./core/threads.js";
import type {
  CacheEntry, CacheUsage, ChatMessage, DeviceInfo, Devices, EngineOptions, GenerateOptions, GenerateResult, LoadOptions,
  LogLevel, MemoryUse, ModelInfo, Part, Progress, TokenizeOptions,
} from "./types.js";

/** What the worker does for the page (server.ts). */
export interface EngineService {
  start(options: StartOptions): Promise<EngineState>;
  devices(): Promise<Devices>;
  load(request: LoadRequest, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<LoadedModel>;
  /** After a lost device: the same model again, from the same place, with its conversations. */
  recover(model: number, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<ModelInfo>;
  unload(model: number): Promise<void>;
  generate(request: GenerateRequest, onParts: (parts: Part[]) => void, signal?: AbortSignal): Promise<GenerateResult>;
  tokenize(model: number, text: string, options: TokenizeOptions): Promise<number[]>;
  detokenize(model: number, ids: readonly number[]): Promise<string>;
  /** Each token's own text. */
  pieces(model: number, ids: readonly number[]): Promise<string[]>;
  template(model: number, messages: readonly ChatMessage[]): Promise<string>;
  dump(model: number, what: "graph" | "decode" | "prefill"): Promise<string>;
  memory(): Promise<EngineMemory>;
  /** As if the GPU had been reset: for tests. */
  loseDevice(): Promise<void>;
  cacheList(): Promise<CacheEntry[]>;
  /** How many entries went. */
  cacheDelete(keyOrUrl: string): Promise<number>;
  cacheClear(): Promise<void>;
  cacheVerify(key: string, signal?: AbortSignal): Promise<boolean>;
  cacheUsage(): Promise<CacheUsage>;
}

/** What the page does for the worker (engine.ts). */
export interface PageService {
  /** Resolves once each is ready or has failed. */
  startThreads(starts: ThreadStart[]): Promise<void>;
  log(level: LogLevel, text: string): Promise<void>;
}

export interface StartOptions extends Omit<EngineOptions, "onLog" | "wasmBase"> {
  /** Addresses of the two modules. */
  wasm: { single: string; threads: string };
}

export interface EngineState {
  device: DeviceInfo;
  reason: string;
}

export interface EngineMemory {
  /** Of the WebAssembly module; it never gets smaller. */
  wasmBytes: number;
  /** Of all models, as planned. */
  models: MemoryUse;
}

/** Texts and what can be cloned; relative addresses are relative to `base`. */
export interface LoadRequest {
  source: string | Blob | FileSystemFileHandle | readonly (Blob | FileSystemFileHandle)[];
  base: string;
  options: Omit<LoadOptions, "onProgress" | "signal">;
}

export interface LoadedModel {
  model: number;
  info: ModelInfo;
}

export interface GenerateRequest {
  model: number;
  /** One of the three. */
  text?: string;
  ids?: readonly number[];
  messages?: readonly ChatMessage[];
  /** The conversation, so that it finds its state again; 0: none. */
  conversation: number;
  options: Omit<GenerateOptions, "signal">;
}
