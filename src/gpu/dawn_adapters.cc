#include "gpu/dawn_adapters.h"

#include <algorithm>

#include "gpu/profiles.h"

namespace weft {
namespace {

constexpr uint64_t kOpenTimeout = 60'000'000'000;  // ns: drivers of many GPUs take seconds

struct Adapter {
  WGPUAdapter handle = nullptr;
  GpuInfo info;
  WGPULimits limits = WGPU_LIMITS_INIT;
};

// An instance and its adapters; released together.
struct Instance {
  const DawnProcs* dawn = nullptr;
  WGPUInstance handle = nullptr;
  std::vector<Adapter> adapters;

  Instance() = default;
  Instance(Instance&& other) noexcept { *this = std::move(other); }
  Instance& operator=(Instance&& other) noexcept {
    std::swap(dawn, other.dawn);
    std::swap(handle, other.handle);
    std::swap(adapters, other.adapters);
    return *this;
  }
  ~Instance() {
    for (Adapter& a : adapters)
      if (a.handle) dawn->AdapterRelease(a.handle);
    if (handle) dawn->InstanceRelease(handle);
  }
};

const char* backend_name(WGPUBackendType type) {
  switch (type) {
    case WGPUBackendType_Null:
      return "null";
    case WGPUBackendType_D3D11:
      return "d3d11";
    case WGPUBackendType_D3D12:
      return "d3d12";
    case WGPUBackendType_Metal:
      return "metal";
    case WGPUBackendType_Vulkan:
      return "vulkan";
    case WGPUBackendType_OpenGL:
      return "opengl";
    case WGPUBackendType_OpenGLES:
      return "opengles";
    default:
      return "unknown";
  }
}

// What the adapter grants. False for Dawn's null adapter.
bool describe(const DawnProcs& dawn, WGPUInstance instance, Adapter& adapter) {
  auto has = [&](WGPUFeatureName feature) { return dawn.AdapterHasFeature(adapter.handle, feature) != 0; };
  bool matrix = has(WGPUFeatureName_ChromiumExperimentalSubgroupMatrix);
  WGPUAdapterPropertiesSubgroupMatrixConfigs configs = WGPU_ADAPTER_PROPERTIES_SUBGROUP_MATRIX_CONFIGS_INIT;
  WGPUAdapterInfo raw = WGPU_ADAPTER_INFO_INIT;
  if (matrix) raw.nextInChain = &configs.chain;
  if (dawn.AdapterGetInfo(adapter.handle, &raw) != WGPUStatus_Success) return false;
  if (dawn.AdapterGetLimits(adapter.handle, &adapter.limits) != WGPUStatus_Success) return false;

  GpuInfo& info = adapter.info;
  info.name = dawn_text(raw.device);
  info.vendor = dawn_text(raw.vendor);
  info.architecture = dawn_text(raw.architecture);
  info.backend = backend_name(raw.backendType);
  info.driver = dawn_text(raw.description);
  info.software = raw.adapterType == WGPUAdapterType_CPU;
  info.f16 = has(WGPUFeatureName_ShaderF16);
  info.subgroups = has(WGPUFeatureName_Subgroups);
  if (info.subgroups) {
    info.subgroup_min = raw.subgroupMinSize;
    info.subgroup_max = raw.subgroupMaxSize;
  }
  info.timestamps = has(WGPUFeatureName_TimestampQuery);
  info.packed_dot =
      dawn.InstanceHasWGSLLanguageFeature(instance, WGPUWGSLLanguageFeatureName_Packed4x8IntegerDotProduct);
  info.immediates = adapter.limits.maxImmediateSize > 0 &&
                    dawn.InstanceHasWGSLLanguageFeature(instance, WGPUWGSLLanguageFeatureName_ImmediateAddressSpace);
  for (size_t i = 0; i < configs.configCount; ++i) {
    const WGPUSubgroupMatrixConfig& c = configs.configs[i];
    bool f32 = c.resultComponentType == WGPUSubgroupMatrixComponentType_F32;
    if (c.componentType == WGPUSubgroupMatrixComponentType_F16 &&
        (f32 || c.resultComponentType == WGPUSubgroupMatrixComponentType_F16))
      info.matrices.push_back({c.M, c.N, c.K, f32});
  }
  info.subgroup_matrix = !info.matrices.empty();

  const WGPULimits& limits = adapter.limits;
  info.max_buffer_bytes = static_cast<int64_t>(limits.maxBufferSize);
  info.max_binding_bytes = static_cast<int64_t>(limits.maxStorageBufferBindingSize);
  info.max_storage_buffers = limits.maxStorageBuffersPerShaderStage;
  info.max_workgroup_bytes = limits.maxComputeWorkgroupStorageSize;
  info.max_workgroup_invocations = limits.maxComputeInvocationsPerWorkgroup;
  info.max_workgroups = limits.maxComputeWorkgroupsPerDimension;
  info.offset_alignment = limits.minStorageBufferOffsetAlignment;
  bool real = raw.backendType != WGPUBackendType_Null;
  dawn.AdapterInfoFreeMembers(raw);
  if (matrix) dawn.AdapterPropertiesSubgroupMatrixConfigsFreeMembers(configs);
  return real;
}

// The C interface has no list of adapters: the ones it hands out for each wish are the list.
Result<Instance> open_instance() {
  WEFT_TRY(const DawnProcs* dawn, dawn_procs());
  WEFT_CHECK_OK(vulkan_driver());
  Instance out;
  out.dawn = dawn;
  // Subgroup matrices and immediates count as unsafe (they are not standardised), not as untested.
  const char* unsafe[] = {"allow_unsafe_apis"};
  WGPUDawnTogglesDescriptor toggles = WGPU_DAWN_TOGGLES_DESCRIPTOR_INIT;
  toggles.enabledToggles = unsafe;
  toggles.enabledToggleCount = 1;
  WGPUInstanceFeatureName timed_wait = WGPUInstanceFeatureName_TimedWaitAny;
  WGPUInstanceDescriptor descriptor = WGPU_INSTANCE_DESCRIPTOR_INIT;
  descriptor.nextInChain = &toggles.chain;
  descriptor.requiredFeatures = &timed_wait;
  descriptor.requiredFeatureCount = 1;
  out.handle = dawn->CreateInstance(&descriptor);
  if (!out.handle) return fail(Code::no_device, "Dawn", "making a WebGPU instance", "an instance", "none");

  // Off by default for failing conformance tests that do not concern us; a self-test guards every use of f16.
  const char* f16[] = {"vulkan_enable_f16_on_nvidia"};
  WGPUDawnTogglesDescriptor adapter_toggles = WGPU_DAWN_TOGGLES_DESCRIPTOR_INIT;
  adapter_toggles.enabledToggles = f16;
  adapter_toggles.enabledToggleCount = 1;
  std::string why;
  enum Wish { fast, saving, software };
  for (Wish wish : {fast, saving, software}) {
    WGPURequestAdapterOptions options = WGPU_REQUEST_ADAPTER_OPTIONS_INIT;
    options.nextInChain = &adapter_toggles.chain;
    options.featureLevel = WGPUFeatureLevel_Core;
    options.powerPreference = wish == saving ? WGPUPowerPreference_LowPower : WGPUPowerPreference_HighPerformance;
    options.forceFallbackAdapter = wish == software;
    options.backendType = WGPUBackendType_Vulkan;
    struct Answer {
      WGPUAdapter adapter = nullptr;
      std::string message;
    } answer;
    WGPURequestAdapterCallbackInfo callback = WGPU_REQUEST_ADAPTER_CALLBACK_INFO_INIT;
    callback.mode = WGPUCallbackMode_WaitAnyOnly;
    callback.userdata1 = &answer;
    callback.callback = [](WGPURequestAdapterStatus, WGPUAdapter adapter, WGPUStringView message, void* to, void*) {
      static_cast<Answer*>(to)->adapter = adapter;
      static_cast<Answer*>(to)->message = dawn_text(message);
    };
    WGPUFutureWaitInfo wait = {dawn->InstanceRequestAdapter(out.handle, &options, callback), 0};
    dawn->InstanceWaitAny(out.handle, 1, &wait, kOpenTimeout);
    if (!wait.completed) {
      out.handle = nullptr;  // never answered: not released, its callback points here
      return fail(Code::no_device, "GPU", "looking for an adapter through Vulkan", "an answer", "none for 60 s");
    }
    if (!answer.adapter) {
      if (why.empty()) why = answer.message;
      continue;
    }
    Adapter adapter;
    adapter.handle = answer.adapter;
    bool keep = describe(*dawn, out.handle, adapter);
    for (const Adapter& other : out.adapters)
      keep = keep && (other.info.name != adapter.info.name || other.info.driver != adapter.info.driver);
    if (keep)
      out.adapters.push_back(std::move(adapter));
    else
      dawn->AdapterRelease(adapter.handle);
  }
  if (out.adapters.empty())
    return fail(Code::no_device, "GPU", "looking for an adapter through Vulkan", "a GPU with a Vulkan driver",
                why.empty() ? "none" : why, "install the GPU's Vulkan driver, or run with --device cpu");
  // The first instance stays, and with it the driver: NVIDIA's, loaded anew for each instance, has used up the static
  // TLS of the process after some twenty, and then is not found.
  static const WGPUInstance kept = (dawn->InstanceAddRef(out.handle), out.handle);
  (void)kept;
  return out;
}

WGPULimits device_limits(const Adapter& adapter, const GpuInfo& info) {
  WGPULimits limits = adapter.limits;
  limits.nextInChain = nullptr;
  limits.maxBufferSize = static_cast<uint64_t>(info.max_buffer_bytes);
  limits.maxStorageBufferBindingSize = static_cast<uint64_t>(info.max_binding_bytes);
  limits.maxStorageBuffersPerShaderStage = info.max_storage_buffers;
  limits.maxComputeWorkgroupStorageSize = info.max_workgroup_bytes;
  limits.maxComputeInvocationsPerWorkgroup = info.max_workgroup_invocations;
  limits.maxComputeWorkgroupSizeX = std::min(limits.maxComputeWorkgroupSizeX, info.max_workgroup_invocations);
  limits.maxComputeWorkgroupSizeY = std::min(limits.maxComputeWorkgroupSizeY, info.max_workgroup_invocations);
  limits.maxComputeWorkgroupsPerDimension = info.max_workgroups;
  limits.minStorageBufferOffsetAlignment = info.offset_alignment;
  limits.minUniformBufferOffsetAlignment = std::max(limits.minUniformBufferOffsetAlignment, info.offset_alignment);
  if (!info.immediates) limits.maxImmediateSize = 0;
  return limits;
}

std::vector<WGPUFeatureName> device_features(const GpuInfo& info) {
  std::vector<WGPUFeatureName> features;
  if (info.f16) features.push_back(WGPUFeatureName_ShaderF16);
  if (info.subgroups) features.push_back(WGPUFeatureName_Subgroups);
  if (info.subgroup_matrix) features.push_back(WGPUFeatureName_ChromiumExperimentalSubgroupMatrix);
  if (info.timestamps) features.push_back(WGPUFeatureName_TimestampQuery);
  return features;
}

}  // namespace

bool DawnTrouble::lost() const {
  std::lock_guard lock(mutex_);
  return lost_;
}

void DawnTrouble::set_lost(std::string message) {
  std::lock_guard lock(mutex_);
  if (lost_) return;
  lost_ = true;
  error_ = {Code::device_lost, "GPU", "the device was lost", {}, std::move(message), {}};
  any_.store(true, std::memory_order_release);
}

void DawnTrouble::set_error(Code code, std::string message) {
  std::lock_guard lock(mutex_);
  if (any_.load(std::memory_order_relaxed)) return;  // the first says most
  error_ = {code, "GPU", "an earlier command", {}, std::move(message), {}};
  any_.store(true, std::memory_order_release);
}

Status DawnTrouble::take_locked() {
  std::lock_guard lock(mutex_);
  if (!lost_) any_.store(false, std::memory_order_relaxed);
  return fail(error_);
}

Result<DawnDevice> open_dawn_device(const GpuOptions& options) {
  auto trouble = std::make_unique<DawnTrouble>();  // outlives the instance, whose end may still report to it
  WEFT_TRY(Instance instance, open_instance());
  auto count = static_cast<int>(instance.adapters.size());
  if (options.adapter < 0 || options.adapter >= count)
    return fail(Code::no_device, "GPU", "adapter " + std::to_string(options.adapter),
                "a number below " + std::to_string(count), {});
  Adapter& adapter = instance.adapters[static_cast<size_t>(options.adapter)];
  if (adapter.info.software && !options.allow_software)
    return fail(Code::no_device, "GPU", "adapter " + std::to_string(options.adapter), "a GPU",
                "the software driver " + adapter.info.name);

  DawnDevice out;
  out.procs = instance.dawn;
  out.info = apply_profile(options.profile, adapter.info);

  // Buffers stay zeroed at their first use (lazy_clear_resource_on_first_use): gpu.h promises it, and it costs one fill
  // for each buffer that is not written whole.
  std::vector<const char*> on, off;
  off.push_back("timestamp_quantization");              // steps of 65.5 µs, against attacks from web pages
  off.push_back("use_user_defined_labels_in_backend");  // a driver call for each object, for debuggers
  if (!options.robust) {
    on.push_back("disable_robustness");      // a clamp of the index at each access to memory
    on.push_back("disable_workgroup_init");  // stores and a barrier at the beginning of each workgroup
    on.push_back("disable_polyfills_on_integer_div_and_mod");  // two compares and selects a division
  }
  if (options.skip_validation) on.push_back("skip_validation");
  WGPUDawnTogglesDescriptor toggles = WGPU_DAWN_TOGGLES_DESCRIPTOR_INIT;
  toggles.enabledToggles = on.data();
  toggles.enabledToggleCount = on.size();
  toggles.disabledToggles = off.data();
  toggles.disabledToggleCount = off.size();

  std::vector<WGPUFeatureName> features = device_features(out.info);
  WGPULimits limits = device_limits(adapter, out.info);
  out.uniforms = {limits.minUniformBufferOffsetAlignment, static_cast<int64_t>(limits.maxUniformBufferBindingSize)};
  WGPUDeviceDescriptor descriptor = WGPU_DEVICE_DESCRIPTOR_INIT;
  descriptor.nextInChain = &toggles.chain;
  descriptor.label = dawn_text("weft");
  descriptor.requiredFeatures = features.data();
  descriptor.requiredFeatureCount = features.size();
  descriptor.requiredLimits = &limits;
  descriptor.deviceLostCallbackInfo.mode = WGPUCallbackMode_AllowSpontaneous;
  descriptor.deviceLostCallbackInfo.userdata1 = trouble.get();
  descriptor.deviceLostCallbackInfo.callback = [](WGPUDevice const*, WGPUDeviceLostReason, WGPUStringView message,
                                                  void* to, void*) {
    static_cast<DawnTrouble*>(to)->set_lost(dawn_text(message));
  };
  descriptor.uncapturedErrorCallbackInfo.userdata1 = trouble.get();
  descriptor.uncapturedErrorCallbackInfo.callback = [](WGPUDevice const*, WGPUErrorType type, WGPUStringView message,
                                                       void* to, void*) {
    Code code = type == WGPUErrorType_Validation    ? Code::invalid_argument
                : type == WGPUErrorType_OutOfMemory ? Code::out_of_memory
                                                    : Code::internal;
    static_cast<DawnTrouble*>(to)->set_error(code, dawn_text(message));
  };

  struct Answer {
    WGPUDevice device = nullptr;
    std::string message;
  } answer;
  WGPURequestDeviceCallbackInfo callback = WGPU_REQUEST_DEVICE_CALLBACK_INFO_INIT;
  callback.mode = WGPUCallbackMode_WaitAnyOnly;
  callback.userdata1 = &answer;
  callback.callback = [](WGPURequestDeviceStatus, WGPUDevice device, WGPUStringView message, void* to, void*) {
    static_cast<Answer*>(to)->device = device;
    static_cast<Answer*>(to)->message = dawn_text(message);
  };
  WGPUFutureWaitInfo wait = {out.procs->AdapterRequestDevice(adapter.handle, &descriptor, callback), 0};
  out.procs->InstanceWaitAny(instance.handle, 1, &wait, kOpenTimeout);
  if (!wait.completed) instance.handle = nullptr;  // never answered: not released, its callback points here
  if (!answer.device)
    return fail(Code::no_device, adapter.info.name, "opening the device", "a device",
                answer.message.empty() ? "no answer for 60 s" : answer.message);
  out.device = answer.device;
  // Without one, warnings go to stderr; what matters arrives as an error.
  WGPULoggingCallbackInfo quiet = WGPU_LOGGING_CALLBACK_INFO_INIT;
  quiet.callback = [](WGPULoggingType, WGPUStringView, void*, void*) {};
  out.procs->DeviceSetLoggingCallback(out.device, quiet);
  out.instance = std::exchange(instance.handle, nullptr);
  out.adapter = std::exchange(adapter.handle, nullptr);
  out.trouble = std::move(trouble);
  return out;
}

Task<Result<std::vector<GpuInfo>>> gpu_adapters(Host&) {
  WEFT_CO_TRY(Instance instance, open_instance());
  std::vector<GpuInfo> out;
  for (Adapter& adapter : instance.adapters) out.push_back(std::move(adapter.info));
  co_return out;
}

}  // namespace weft
