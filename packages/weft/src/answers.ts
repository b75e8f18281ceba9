// The core's answers (src/session/json.h) as the package's types.
import type { DeviceInfo, GenerateResult, GpuInfo, Logprob, MemoryUse, ModelInfo, Part, StopReason } from "./types.js";

export interface CoreGpu {
  name: string;
  vendor: string;
  architecture: string;
  backend: string;
  software: boolean;
  f16: boolean;
  subgroups: boolean;
  subgroup_min: number;
  subgroup_max: number;
  subgroup_matrix: boolean;
  packed_dot: boolean;
  timestamps: boolean;
  max_buffer_bytes: number;
  max_binding_bytes: number;
  max_workgroup_bytes: number;
  max_workgroup_invocations: number;
}

export interface CoreModel {
  model: number;
  architecture: string;
  name: string;
  file: string;
  parameters: number;
  formats: Record<string, number>;
  vocabulary: number;
  layers: number;
  width: number;
  context_length: number;
  context: number;
  tokenizer: string;
  chat_template: boolean;
  device: string;
  kind: "webgpu" | "cpu";
  gpu: CoreGpu | null;
  load_ms: number;
  memory: MemoryUse;
}

export interface CoreToken {
  id: number;
  text: string;
  logprob?: number;
  best?: Logprob[];
}

export interface CoreGenerated {
  prompt_ids: number[];
  ids: number[];
  text: string;
  stop: StopReason;
  stats: {
    device: string;
    kernels: string[];
    load_ms: number;
    ttft_ms: number;
    prefill_tokens: number;
    kept_tokens: number;
    prefill_tps: number;
    decode_tokens: number;
    decode_tps: number;
    submit_us: number;
    peak_bytes: number;
  };
  logprobs?: (Logprob & { best: Logprob[] })[];
}

export function gpuInfo(gpu: CoreGpu): GpuInfo {
  return {
    name: gpu.name,
    vendor: gpu.vendor,
    architecture: gpu.architecture,
    backend: gpu.backend,
    software: gpu.software,
    f16: gpu.f16,
    subgroups: gpu.subgroups,
    subgroupMin: gpu.subgroup_min,
    subgroupMax: gpu.subgroup_max,
    subgroupMatrix: gpu.subgroup_matrix,
    packedDot: gpu.packed_dot,
    timestamps: gpu.timestamps,
    maxBufferBytes: gpu.max_buffer_bytes,
    maxBindingBytes: gpu.max_binding_bytes,
    maxWorkgroupBytes: gpu.max_workgroup_bytes,
    maxWorkgroupInvocations: gpu.max_workgroup_invocations,
  };
}

export function modelInfo(model: CoreModel, threads: number, reason: string): ModelInfo {
  const device: DeviceInfo = { kind: model.kind, name: model.device, threads: model.kind === "cpu" ? threads : 0 };
  if (model.gpu) device.gpu = gpuInfo(model.gpu);
  return {
    architecture: model.architecture,
    name: model.name,
    file: model.file,
    parameters: model.parameters,
    formats: model.formats,
    vocabulary: model.vocabulary,
    layers: model.layers,
    width: model.width,
    contextLength: model.context_length,
    context: model.context,
    tokenizer: model.tokenizer,
    chatTemplate: model.chat_template,
    device,
    reason,
    loadMs: model.load_ms,
    memory: model.memory,
  };
}

export function part(token: CoreToken): Part {
  const out: Part = { text: token.text, id: token.id };
  if (token.logprob !== undefined) out.logprob = token.logprob;
  if (token.best) out.best = token.best;
  return out;
}

/** waitedMs: before the core began, for calls before it. */
export function generateResult(answer: CoreGenerated, kind: "webgpu" | "cpu", seed: number, waitedMs: number): GenerateResult {
  const { stats } = answer;
  const out: GenerateResult = {
    text: answer.text,
    ids: answer.ids,
    promptIds: answer.prompt_ids,
    reason: answer.stop,
    seed,
    stats: {
      device: stats.device,
      kind,
      kernels: stats.kernels,
      loadMs: stats.load_ms,
      ttftMs: stats.ttft_ms + waitedMs,
      prefillTokens: stats.prefill_tokens,
      keptTokens: stats.kept_tokens,
      prefillTps: stats.prefill_tps,
      decodeTokens: stats.decode_tokens,
      decodeTps: stats.decode_tps,
      submitUs: stats.submit_us,
      peakBytes: stats.peak_bytes,
    },
  };
  if (answer.logprobs) out.logprobs = answer.logprobs;
  return out;
}
