// The imports gpu_* of the WASM module: src/gpu/web_imports.h, which this mirrors, over a GPU object: a browser's
// navigator.gpu, or in Node what create([]) of the package "webgpu" returns.
//
//   const core = await Core.create({ …, gpu: (memory) => new GpuHost(navigator.gpu, memory).imports() });
//
// Numbers of devices, handles and operations are the module's. Nothing thrown leaves an import: it would unwind the
// module's frames. What fails at once ends its operation, and else it is trouble that the module's next call returns.
import type { CoreMemory, ImportFunctions } from "./abi.js";
import { findAdapters, requestAgain, type FoundAdapter } from "./gpu_adapters.js";
import { GpuDevice, textOf } from "./gpu_device.js";

interface Wishes {
  features: GPUFeatureName[];
  limits: Record<string, number>;
}

export class GpuHost {
  private adapters: FoundAdapter[] = [];
  private readonly devices = new Map<number, GpuDevice | "opening">();
  private readonly memory: CoreMemory;

  // Without a GPU object there is no WebGPU: the module says so when a GPU is asked for.
  constructor(
    private readonly gpu: GPU | undefined,
    memory: CoreMemory,
  ) {
    this.memory = surviving(memory);
  }

  imports(): ImportFunctions {
    const { memory } = this;
    // The device of an operation. One that was closed has none: then the operation is over.
    const of = (gpu: number, operation: number): GpuDevice | undefined => {
      const device = this.device(gpu);
      if (!device) memory.settle(operation, "internal", "a GPU that is not open");
      return device;
    };
    return {
      gpu_adapters: (operation) => void this.list(operation),
      gpu_open: (operation, gpu, adapter, at, length) =>
        void this.open(operation, gpu, adapter, JSON.parse(memory.text(at, length)) as Wishes),
      gpu_close: (gpu) => {
        this.device(gpu)?.close();
        this.devices.delete(gpu);
      },
      gpu_lose: (gpu) => this.device(gpu)?.lose(),

      gpu_create_buffer: (gpu, operation, buffer, bytes, label, length) =>
        of(gpu, operation)?.createBuffer(operation, buffer, bytes, memory.text(label, length)),
      gpu_destroy_buffer: (gpu, buffer) => this.device(gpu)?.destroyBuffer(buffer),
      gpu_create_pipeline: (gpu, operation, pipeline, label, labelLength, wgsl, wgslLength, bindings, count) => {
        const words = memory.words().slice(bindings >>> 2, (bindings >>> 2) + 2 * count);
        const texts = [memory.text(label, labelLength), memory.text(wgsl, wgslLength)] as const;
        of(gpu, operation)?.createPipeline(operation, pipeline, ...texts, words);
      },
      gpu_destroy_pipeline: (gpu, pipeline) => this.device(gpu)?.destroyPipeline(pipeline),
      gpu_create_group: (gpu, group, pipeline, entries, count) =>
        this.device(gpu)?.createGroup(group, pipeline, entries, count),
      gpu_destroy_group: (gpu, group) => this.device(gpu)?.destroyGroup(group),

      gpu_write: (gpu, buffer, offset, bytes, count) => this.device(gpu)?.queue.write(buffer, offset, bytes, count),
      gpu_submit: (gpu, words, count) => this.device(gpu)?.queue.submit(words, count),
      gpu_finish: (gpu, operation) => of(gpu, operation)?.finish(operation),
      gpu_begin_read: (gpu, ticket, buffer, offset, bytes) =>
        this.device(gpu)?.queue.beginRead(ticket, buffer, offset, bytes),
      gpu_begin_timestamps: (gpu, ticket, passes) => this.device(gpu)?.queue.beginTimestamps(ticket, passes),
      gpu_await_read: (gpu, operation, ticket) => of(gpu, operation)?.queue.awaitRead(operation, ticket) ?? 0,
      gpu_take_read: (gpu, ticket, out, bytes) => this.device(gpu)?.queue.takeRead(ticket, out, bytes),
      gpu_staging: (gpu) => this.device(gpu)?.queue.staging ?? 0,
    };
  }

  private device(gpu: number): GpuDevice | undefined {
    const device = this.devices.get(gpu);
    return device === "opening" ? undefined : device;
  }

  private async list(operation: number): Promise<void> {
    const { memory } = this;
    try {
      this.adapters = await findAdapters(this.gpu);
    } catch (e) {
      return memory.settle(operation, "no-device", `looking for an adapter of WebGPU: ${textOf(e)}`);
    }
    if (this.adapters.length > 0)
      return memory.settle(operation, "ok", JSON.stringify(this.adapters.map(({ description }) => description)));
    const found = this.gpu ? "no adapter: WebGPU has no driver here, or the browser blocks it" : "no WebGPU here";
    memory.settle(operation, "no-device", found);
  }

  private async open(operation: number, gpu: number, index: number, wishes: Wishes): Promise<void> {
    const { memory } = this;
    this.devices.set(gpu, "opening");
    try {
      const adapter = await requestAgain(this.gpu, this.adapters[index]);
      const most = adapter.limits as unknown as Record<string, number>;
      const limits: Record<string, number> = {};
      for (const [name, value] of Object.entries(wishes.limits))
        limits[name] = name.startsWith("max") ? Math.min(value, most[name] ?? 0) : value;
      const device = await adapter.requestDevice({
        label: "weft",
        requiredFeatures: wishes.features,
        requiredLimits: limits,
      });
      if (this.devices.get(gpu) !== "opening") return device.destroy(); // closed meanwhile
      this.devices.set(gpu, new GpuDevice(gpu, device, memory));
    } catch (e) {
      this.devices.delete(gpu);
      return memory.settle(operation, "no-device", `opening the device: ${textOf(e)}`);
    }
    memory.settle(operation, "ok");
  }
}

// A module that trapped cannot be told anything, and has told its callers.
function surviving(memory: CoreMemory): CoreMemory {
  const survive = (body: () => void): void => {
    try {
      body();
    } catch {
      // as above
    }
  };
  return {
    bytes: () => memory.bytes(),
    words: () => memory.words(),
    text: (address, length) => memory.text(address, length),
    settle: (operation, code, text) => survive(() => memory.settle(operation, code, text)),
    trouble: (gpu, code, text) => survive(() => memory.trouble(gpu, code, text)),
  };
}
