// What adapters WebGPU has and what they grant, in the words of GpuInfo (src/ops/gpu_info.h).

// Read by src/gpu/web_open.cc.
export interface AdapterDescription {
  name: string;
  vendor: string;
  architecture: string;
  backend: string;
  driver: string;
  software: boolean;
  f16: boolean;
  subgroups: boolean;
  subgroup_min: number;
  subgroup_max: number;
  packed_dot: boolean;
  immediates: boolean;
  timestamps: boolean;
  matrices: { m: number; n: number; k: number; f32_sum: boolean }[];
  limits: Record<string, number>;
}

export interface FoundAdapter {
  wish: GPURequestAdapterOptions;
  adapter: GPUAdapter | undefined; // none once a device was made of it: each adapter makes one
  description: AdapterDescription;
}

// What some browsers add to the standard's members.
interface MoreInfo {
  backend?: string;
  subgroupMatrixConfigs?: Iterable<{
    M: number;
    N: number;
    K: number;
    componentType: string;
    resultComponentType: string;
  }>;
}

const limitNames = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxUniformBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const;

// The fastest first. WebGPU has no list of adapters: the ones it hands out for each wish are the list. A fallback is
// software, and asked for only where there is nothing else.
export async function findAdapters(gpu: GPU | undefined): Promise<FoundAdapter[]> {
  const found: FoundAdapter[] = [];
  if (!gpu) return found;
  const wishes: GPURequestAdapterOptions[] = [
    { powerPreference: "high-performance" },
    { powerPreference: "low-power" },
    { forceFallbackAdapter: true },
  ];
  for (const wish of wishes) {
    if (wish.forceFallbackAdapter && found.length > 0) break;
    const adapter = await gpu.requestAdapter(wish);
    if (!adapter) continue;
    const description = describe(gpu, adapter);
    const known = found.some(
      ({ description: other }) => other.name === description.name && other.driver === description.driver,
    );
    if (!known) found.push({ wish, adapter, description });
  }
  return found;
}

// The adapter that was found, once; then another of the same wish.
export async function requestAgain(gpu: GPU | undefined, found: FoundAdapter | undefined): Promise<GPUAdapter> {
  const adapter = found?.adapter ?? (await gpu?.requestAdapter(found?.wish));
  if (!adapter) throw new Error("the adapter is no longer there");
  if (found) found.adapter = undefined;
  return adapter;
}

// Drivers that compute on the CPU: SwiftShader and Mesa's lavapipe.
function isSoftware(adapter: GPUAdapter): boolean {
  const { info } = adapter;
  const older = (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter;
  return (
    info.isFallbackAdapter ||
    older === true ||
    info.architecture === "swiftshader" ||
    /swiftshader|llvmpipe|lavapipe|microsoft basic render/i.test(`${info.vendor} ${info.device} ${info.description}`)
  );
}

function describe(gpu: GPU, adapter: GPUAdapter): AdapterDescription {
  const { info, features } = adapter;
  const more = info as MoreInfo;
  const all = adapter.limits as unknown as Record<string, number | undefined>;
  const limits: Record<string, number> = {};
  for (const name of limitNames) limits[name] = all[name] ?? 0;
  const has = (feature: string) => features.has(feature);
  const language = (feature: string) => gpu.wgslLanguageFeatures?.has(feature) === true;
  const matrices: AdapterDescription["matrices"] = [];
  if (has("chromium-experimental-subgroup-matrix"))
    for (const { M, N, K, componentType, resultComponentType: sum } of more.subgroupMatrixConfigs ?? [])
      if (componentType === "f16" && (sum === "f32" || sum === "f16"))
        matrices.push({ m: M, n: N, k: K, f32_sum: sum === "f32" });
  const subgroups = has("subgroups");
  return {
    // Browsers hide the name of the GPU; then its maker and kind are all there is.
    name: info.device || info.description || `${info.vendor} ${info.architecture}`.trim() || "unnamed",
    vendor: info.vendor,
    architecture: info.architecture,
    backend: more.backend || "webgpu",
    driver: info.description,
    software: isSoftware(adapter),
    f16: has("shader-f16"),
    subgroups,
    subgroup_min: subgroups ? (info.subgroupMinSize ?? 4) : 0,
    subgroup_max: subgroups ? (info.subgroupMaxSize ?? 128) : 0,
    packed_dot: language("packed_4x8_integer_dot_product"),
    immediates: language("immediate_address_space") && (all["maxImmediateSize"] ?? 0) > 0,
    timestamps: has("timestamp-query"),
    matrices,
    limits,
  };
}
