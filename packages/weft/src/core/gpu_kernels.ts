// Kernels and the layouts of their bind groups.
import type { WeftErrorCode } from "../errors.js";

export interface Kernel {
  layout: GPUBindGroupLayout | undefined;
  pipeline: GPUComputePipeline | undefined; // once it is compiled
}

// WgslBinding::Kind (src/gpu/wgsl_bindings.h) in WebGPU's words.
const kinds: GPUBufferBindingType[] = ["uniform", "read-only-storage", "storage"];
const compute = 0x4; // GPUShaderStage.COMPUTE
const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

// Compiles `wgsl` into the kernel; `bindings` are two words each, number and kind. The layout is there at once. Resolves
// to what failed: the place and the message of the compiler's first error, else what the GPU says.
export async function compile(
  device: GPUDevice,
  kernel: Kernel,
  label: string,
  wgsl: string,
  bindings: Uint32Array,
  scoped: <T>(make: () => T) => [T, Promise<GPUError | null>],
): Promise<[WeftErrorCode, string] | undefined> {
  const entries: GPUBindGroupLayoutEntry[] = [];
  for (let i = 0; i < bindings.length; i += 2)
    entries.push({ binding: bindings[i]!, visibility: compute, buffer: { type: kinds[bindings[i + 1]!]! } });
  const [made, error] = scoped(() => {
    const module = device.createShaderModule({ label, code: wgsl });
    const layout = device.createBindGroupLayout({ label, entries });
    return { module, layout, all: device.createPipelineLayout({ bindGroupLayouts: [layout] }) };
  });
  kernel.layout = made.layout;
  let failure = await error;
  let refused: unknown;
  if (!failure) {
    try {
      const { module, all: layout } = made;
      kernel.pipeline = await device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: "main" } });
      return undefined;
    } catch (e) {
      refused = e;
    }
  }
  const { messages } = await made.module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === "error");
  if (errors.length > 0) {
    const { lineNum, linePos, message } = errors[0]!;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    return ["bad-shader", `line ${lineNum}, column ${linePos}\n${oneLine(message)}${more}`];
  }
  if (failure?.constructor.name === "GPUOutOfMemoryError") return ["out-of-memory", oneLine(failure.message)];
  if (failure) return ["bad-shader", oneLine(failure.message)];
  // Only a GPUPipelineError says that the kernel is why.
  if ((refused as { reason?: string } | null)?.reason === undefined) throw refused;
  return ["bad-shader", oneLine((refused as Error).message) || "without a message"];
}

// The entries of a bind group from six words each: number, buffer, offset and bytes, low half first.
export function entriesOf(
  words: Uint32Array,
  at: number,
  count: number,
  bufferOf: (handle: number) => GPUBuffer,
): GPUBindGroupEntry[] {
  const long = (i: number): number => words[i]! + words[i + 1]! * 0x1_0000_0000;
  const entries: GPUBindGroupEntry[] = [];
  for (let i = at; i < at + 6 * count; i += 6)
    entries.push({
      binding: words[i]!,
      resource: { buffer: bufferOf(words[i + 1]!), offset: long(i + 2), size: long(i + 4) },
    });
  return entries;
}
