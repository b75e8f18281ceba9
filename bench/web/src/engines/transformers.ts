// transformers.js over ONNX Runtime's WebAssembly, on its CPU or its WebGPU backend.
import { AutoModelForCausalLM, BaseStreamer, env, Tensor, type DataType, type PreTrainedModel } from "@huggingface/transformers";
import type { Load } from "../types.js";

// Files picked by hand answer for the addresses that the library asks.
function folderOf(files: File[]): unknown {
  return {
    match: async (url: string) => {
      const file = files.find((f) => url.endsWith(f.webkitRelativePath.split("/").slice(1).join("/")));
      return file && new Response(file);
    },
    put: async () => {},
  };
}

let submits = 0;
function countSubmits(): void {
  const { prototype } = GPUQueue, { submit } = prototype;
  prototype.submit = function (buffers) {
    ++submits;
    return submit.call(this, buffers);
  };
}

class Counter extends BaseStreamer {
  #prompt = true;
  constructor(readonly onTokens: (count: number) => void) {
    super();
  }
  override put(): void {
    if (!this.#prompt) this.onTokens(1);
    this.#prompt = false; // the prompt itself comes first
  }
  override end(): void {}
}

export const load: Load = async (job) => {
  const picked = Array.isArray(job.onnx);
  const at = picked ? new URL("picked/", location.href) : new URL(job.onnx as string, location.href);
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = new URL("..", at).href;
  env.useWasmCache = false;
  if (picked) {
    env.useCustomCache = true;
    env.customCache = folderOf(job.onnx as File[]) as typeof env.customCache;
  }
  const { wasm } = env.backends.onnx;
  wasm!.wasmPaths = new URL("peers/", document.baseURI).href;
  wasm!.numThreads = job.gpu ? 1 : job.threads;
  if (job.gpu) countSubmits();
  const model: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(at.pathname.split("/").at(-2)!, {
    device: job.gpu ? "webgpu" : "wasm", dtype: job.dtype as DataType, use_external_data_format: true,
  });
  return {
    device() {
      const gpu = job.gpu && submits > 0;
      return { kind: gpu ? "gpu" : "cpu", name: gpu ? "onnxruntime WebGPU" : "onnxruntime wasm", threads: gpu ? 0 : wasm!.numThreads! };
    },
    async generate(prompt, tokens, onTokens) {
      const inputs = new Tensor("int64", BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
      await model.generate({ inputs, max_new_tokens: tokens, min_new_tokens: tokens, do_sample: false, streamer: new Counter(onTokens) } as never);
    },
    dispose: async () => void (await model.dispose()),
  };
};
