// What a sample is asked for and what it answers. A sample is one engine, loaded in a page of its own, once.

export interface Job {
  engine: string;
  /** GGUF file for Weft and wllama: URL or file. */
  gguf?: string | File;
  /** Folder of an ONNX model for transformers.js: URL ending in "/", or its files. */
  onnx?: string | File[];
  /** "q8", "q4", "q4f16": which of its files. */
  dtype?: string;
  /** Compiled model library and weights for WebLLM. */
  webllm?: { library: string; weights: string };
  gpu: boolean;
  threads: number;
  prompt: number;
  tokens: number;
  /** Measured answers after one that warms up. */
  runs: number;
  /** Tokens a GPU works ahead, for Weft; 1: every token is read back. */
  burst?: number;
}

export interface Device {
  kind: "gpu" | "cpu";
  name: string;
  threads: number;
}

/** One answer. Times in ms by the page's clock, from the call. */
export interface Run {
  ttftMs: number;
  prefillTps: number;
  decodeTps: number;
  tokens: number;
  /** What the engine says of itself, where it does. */
  own?: { prefillTps: number; decodeTps: number; promptTokens?: number; submitUs?: number };
}

export interface Sample {
  engine: string;
  gpu: boolean;
  threads: number;
  dtype?: string;
  device: Device | null;
  /** What navigator.gpu grants this page. */
  adapter: string;
  loadMs: number;
  runs: Run[];
  /** performance.measureUserAgentSpecificMemory after the runs; 0 where the page is not isolated. */
  pageBytes: number;
  /** By the runner: highest resident memory of the page's process, and of the GPU's. */
  rssBytes?: number;
  gpuRssBytes?: number;
  /** The first load of this engine's files in a new profile. */
  cold?: boolean;
  /** Why it failed; a run on another device than asked for is a failure. */
  error?: string;
}

export interface Loaded {
  device(): Device;
  /** Calls onTokens(n) when n more tokens arrived. */
  generate(prompt: number[], tokens: number, onTokens: (count: number) => void): Promise<Run["own"] | void>;
  dispose(): Promise<void>;
}

export type Load = (job: Job) => Promise<Loaded>;

/** Tokens of room that every engine gets. */
export function contextFor(job: Job): number {
  return Math.ceil((job.prompt + job.tokens + 16) / 256) * 256;
}
