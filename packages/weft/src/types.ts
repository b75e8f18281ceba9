/**
 * Every type of the package's interface that is no class. Times are milliseconds, sizes bytes, speeds tokens or bytes a
 * second, unless a name says otherwise.
 */

// ---- engine ----

/** Where to compute. "auto": a GPU through WebGPU if there is a real one, else the CPU; `engine.reason` says why. */
export type DeviceChoice = "auto" | "webgpu" | "cpu";

export interface EngineOptions {
  /** Default of `load`. Default: "auto". */
  device?: DeviceChoice;
  /** Also take a GPU that is software (SwiftShader, lavapipe). Default: false; always true for device "webgpu". */
  software?: boolean;
  /**
   * Threads of the CPU, at most 32. Default: as many as the processor has. More than one needs a page that is
   * cross-origin isolated (docs/web.md); elsewhere there is one, and `engine.reason` says so.
   */
  threads?: number;
  /** Keep what is downloaded (in the origin private file system). Default: true. */
  cache?: boolean;
  /** Folder that serves weft.wasm and weft.threads.wasm, if not beside the package's own files. */
  wasmBase?: string | URL;
  /** What the engine has to say: nothing is printed. */
  onLog?: (level: LogLevel, text: string) => void;
}

export type LogLevel = "debug" | "info" | "warning";

/** Where the engine computes, and why there. */
export interface DeviceInfo {
  kind: "webgpu" | "cpu";
  /** "NVIDIA H200", "wasm simd128, 4 threads" … */
  name: string;
  /** Threads of the CPU; 0 for a GPU. */
  threads: number;
  /** Of a GPU. */
  gpu?: GpuInfo;
}

/** A GPU as WebGPU shows it. */
export interface GpuInfo {
  name: string;
  vendor: string;
  architecture: string;
  /** "browser", "vulkan", "metal", "d3d12" … */
  backend: string;
  /** It is the processor that pretends to be a GPU. */
  software: boolean;
  f16: boolean;
  subgroups: boolean;
  subgroupMin: number;
  subgroupMax: number;
  subgroupMatrix: boolean;
  packedDot: boolean;
  timestamps: boolean;
  maxBufferBytes: number;
  maxBindingBytes: number;
  maxWorkgroupBytes: number;
  maxWorkgroupInvocations: number;
}

/** What `engine.devices()` answers. */
export interface Devices {
  cpu: {
    /** Threads that a model would get. */
    threads: number;
    /** The processor's, as the browser tells. */
    cores: number;
    /** Whether threads are possible at all here. */
    isolated: boolean;
    /** Why there are so many threads, in words. */
    reason: string;
  };
  /** GPUs that WebGPU grants; empty if there is none, and then `reason` says why. */
  gpus: GpuInfo[];
  /** Which of them `load` would take and why, in words. */
  reason: string;
}

// ---- loading ----

/**
 * A model: an http(s), blob or data URL; "owner/repo/file.gguf" of Hugging Face (also with "hf:" before it, and with
 * "@revision" after the repo); a File or Blob; a handle from a file picker or from the origin private file
 * system; several files of one model, the main one first. In Node also a path or file URL.
 */
export type ModelSource = string | URL | Blob | FileSystemFileHandle | readonly (File | FileSystemFileHandle)[];

export interface LoadOptions {
  /** Default: the engine's. */
  device?: DeviceChoice;
  /** Default: the engine's. */
  software?: boolean;
  /** Threads of this model on the CPU. Default: all that no other model has taken. */
  threads?: number;
  /** Tokens of prompt and answer together. Default: the model's own, at most 4096. */
  context?: number;
  /** Number format of the key and value cache. Default: "f16". */
  kv?: "f32" | "f16" | "q8_0";
  /** Conversations whose state is kept at the same time; each costs `memory.states` / sessions. Default: 1. */
  sessions?: number;
  /** Tokens a step while reading the prompt. Default: 128 on the CPU, 512 on a GPU. */
  prefillChunk?: number;
  /** Tokens a GPU samples between two looks of the host, at most 255; 1: each is read before the next step begins.
   * Default: as many as take 5 to 50 ms. */
  burst?: number;
  /** Use no more of the GPU than such a browser grants. For tests. Default: "full". */
  profile?: "full" | "chrome" | "safari" | "minimum";
  /** Optimisations to leave out, by name; "*": all. For tests. */
  disabledPasses?: string[];
  /** Keep the download. Default: the engine's. */
  cache?: boolean;
  /** Check the SHA-256 of a kept file before use, not only its size. Default: only after an unclean stop. */
  verify?: boolean;
  /** SHA-256 that the file must have, in hexadecimal digits. */
  sha256?: string;
  /** Sent with every request of the download, e.g. { authorization: "Bearer …" }. */
  headers?: Record<string, string>;
  /** Other server for names of Hugging Face. Default: "https://huggingface.co". */
  hub?: string;
  /** Told at least every 100 ms while something moves. */
  onProgress?: (progress: Progress) => void;
  /** Ends the load with the error "cancelled". What was downloaded so far is kept and continued next time. */
  signal?: AbortSignal;
}

export interface Progress {
  /**
   * "connecting": asking the server; "downloading": from the network; "verifying": a kept file is checked;
   * "loading": weights go to the device; "ready": over.
   */
  phase: "connecting" | "downloading" | "verifying" | "loading" | "ready";
  /** Bytes of this phase done. */
  loaded: number;
  /** Bytes of this phase in all; 0 while unknown. */
  total: number;
  /** Of this phase, averaged over the last seconds; 0 while unknown. */
  bytesPerSecond: number;
  /** Seconds that are left at this speed; null while unknown. */
  secondsLeft: number | null;
  /** The bytes come from the cache or a local file. */
  cached: boolean;
}

/** Memory on the device, in bytes. */
export interface MemoryUse {
  weights: number;
  /** Key and value caches and other state of all sessions. */
  states: number;
  activations: number;
}

export interface ModelInfo {
  architecture: string;
  /** As the file calls itself; may be empty. */
  name: string;
  file: string;
  parameters: number;
  /** How many tensors of each number format. */
  formats: Record<string, number>;
  vocabulary: number;
  layers: number;
  width: number;
  /** Tokens it was trained for. */
  contextLength: number;
  /** Tokens there is room for. */
  context: number;
  /** Kind of its tokenizer; empty if there is none, and then only ids can be given. */
  tokenizer: string;
  /** Whether it has a chat template; without one `model.chat` is an error. */
  chatTemplate: boolean;
  /** What it really runs on. */
  device: DeviceInfo;
  /** Why it runs there, in words. */
  reason: string;
  loadMs: number;
  memory: MemoryUse;
}

// ---- generation ----

/** How tokens are chosen. The defaults are those of all of Weft's interfaces. */
export interface SamplingOptions {
  /** 0: always the likeliest token. Default: 0.8. */
  temperature?: number;
  /** Only the k likeliest tokens; 0: all. Default: 40. */
  topK?: number;
  /** Only the likeliest tokens that make up this share; 1: all. Default: 0.95. */
  topP?: number;
  /** Only tokens this likely, as share of the likeliest; 0: all. Default: 0.05. */
  minP?: number;
  /** Divides the logits of tokens seen; 1: off. Default: 1. */
  repeatPenalty?: number;
  /** Subtracted for each time a token was seen. Default: 0. */
  frequencyPenalty?: number;
  /** Subtracted if a token was seen. Default: 0. */
  presencePenalty?: number;
  /** Tokens that penalties look back on; 0: none, -1: all. Default: 64. */
  penaltyLastN?: number;
  /** Added to the logits of tokens by id; -Infinity forbids one. */
  logitBias?: Record<number, number>;
  /** Whole number from 0: the same seed gives the same text. Default: a new one each time; the result tells it. */
  seed?: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** Tokens at most; -1: until the model ends or the context is full. Default: -1. */
  maxTokens?: number;
  /** Ends before any of these texts: neither it nor what follows is part of the answer. */
  stop?: string | readonly string[];
  /** Ends at these tokens, besides the model's own. */
  stopIds?: readonly number[];
  /** Go on past the model's end tokens. Default: false. */
  ignoreEnd?: boolean;
  /** Log-probability of every token and of the n likeliest ones; n from 0. Default: none. */
  logprobs?: number;
  /** Ends the answer within a step (CPU) or burst (GPU): what was made stays, and the reason is "cancelled". */
  signal?: AbortSignal;
}

/** What to continue: a text, or token ids as they are. */
export type Prompt = string | readonly number[];

export interface Logprob {
  id: number;
  /** Natural logarithm, before temperature and penalties. */
  logprob: number;
}

/** One token of an answer. */
export interface Part {
  /** Whole characters that it completes; may be empty. */
  text: string;
  /** -1: no token, only the rest of a text that was held back for a stop string that did not come. */
  id: number;
  /** With option logprobs. */
  logprob?: number;
  /** With option logprobs: the likeliest tokens, best first. */
  best?: Logprob[];
}

/** "end-token": the model ended; "context-full": no room; "cancelled": by signal, or the loop over the parts was left. */
export type StopReason = "end-token" | "stop-string" | "stop-token" | "max-tokens" | "context-full" | "cancelled";

export interface GenerateResult {
  /** Exactly the parts' texts. */
  text: string;
  /** Without the end token. */
  ids: number[];
  promptIds: number[];
  reason: StopReason;
  /** The one that was used. */
  seed: number;
  /** One for each id, with option logprobs. */
  logprobs?: (Logprob & { best: Logprob[] })[];
  stats: Statistics;
}

export interface Statistics {
  /** What really ran: name of the GPU, or of the processor's instruction set and threads. */
  device: string;
  kind: "webgpu" | "cpu";
  /** The kernels that ran, by name. */
  kernels: string[];
  /** Of the model. */
  loadMs: number;
  /** From the call to the first token, also while it waited for calls before it. */
  ttftMs: number;
  /** Tokens of the prompt that were computed. */
  prefillTokens: number;
  /** Tokens of the prompt that were known from the call before. */
  keptTokens: number;
  /** Tokens a second while the prompt was read. */
  prefillTps: number;
  /** Tokens after the first. */
  decodeTokens: number;
  /** Tokens a second after the first. */
  decodeTps: number;
  /** Microseconds of the engine's thread to encode and submit one of them to a GPU; 0 where the CPU computes them. */
  submitUs: number;
  /** Memory of the core (WebAssembly), highest so far. */
  peakBytes: number;
}

export interface TokenizeOptions {
  /** With the tokens that the model puts around a text. Default: true. */
  bos?: boolean;
  /** "<|im_end|>" in the text is that token; false for text from strangers. Default: true. */
  special?: boolean;
}

// ---- chat ----

export interface ChatMessage {
  role: "system" | "user" | "assistant" | (string & {});
  content: string;
}

/** The generation options are defaults of every answer. */
export interface ChatOptions extends GenerateOptions {
  /** First message, of role "system". */
  system?: string;
  /** A conversation to go on with. */
  history?: readonly ChatMessage[];
}

// ---- cache ----

export type { CacheEntry, CacheUsage } from "./cache/cache.js";

// ---- OpenAI's shapes ----

export interface ChatCompletionRequest {
  messages: readonly ChatMessage[];
  /** Ignored but echoed. Default: the model's name. */
  model?: string;
  stream?: boolean;
  temperature?: number | null;
  top_p?: number | null;
  /** Either of the two. Default: until the model ends. */
  max_tokens?: number | null;
  max_completion_tokens?: number | null;
  stop?: string | readonly string[] | null;
  seed?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  logit_bias?: Record<string, number> | null;
  logprobs?: boolean | null;
  top_logprobs?: number | null;
  stream_options?: { include_usage?: boolean } | null;
  /** Only 1. */
  n?: number | null;
}

export interface ChatCompletionTokenLogprob {
  token: string;
  logprob: number;
  bytes: number[] | null;
  top_logprobs: { token: string; logprob: number; bytes: number[] | null }[];
}

export type ChatCompletionFinishReason = "stop" | "length";

export interface ChatCompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: {
    index: 0;
    message: { role: "assistant"; content: string; refusal: null };
    finish_reason: ChatCompletionFinishReason;
    logprobs: { content: ChatCompletionTokenLogprob[] } | null;
  }[];
  usage: ChatCompletionUsage;
}

export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: 0;
    delta: { role?: "assistant"; content?: string };
    finish_reason: ChatCompletionFinishReason | null;
    logprobs: { content: ChatCompletionTokenLogprob[] } | null;
  }[];
  usage?: ChatCompletionUsage | null;
}
