// A GPU whose devices can be got at: to destroy one, or to let it answer otherwise.
export function watched(gpu: GPU, devices: GPUDevice[]): GPU {
  return {
    wgslLanguageFeatures: gpu.wgslLanguageFeatures,
    requestAdapter: async (options?: GPURequestAdapterOptions) => {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const make = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        const device = await make(descriptor);
        devices.push(device);
        return device;
      };
      return adapter;
    },
  } as unknown as GPU;
}
