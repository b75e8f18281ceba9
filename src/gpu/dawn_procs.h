// Dawn's functions, looked up at run time: a program starts, and runs on the CPU, where there is no Dawn. Included
// by dawn*.cc only, as webgpu.h is.
//
//   WEFT_TRY(const DawnProcs* dawn, dawn_procs());
//   WGPUInstance instance = dawn->CreateInstance(&descriptor);
#pragma once

#include <webgpu/webgpu.h>

#include "base/result.h"

namespace weft {

// clang-format off
#define WEFT_DAWN_PROCS(X) \
  X(CreateInstance) \
  X(InstanceAddRef) \
  X(InstanceHasWGSLLanguageFeature) \
  X(InstanceRelease) \
  X(InstanceRequestAdapter) \
  X(InstanceWaitAny) \
  X(AdapterGetInfo) \
  X(AdapterGetLimits) \
  X(AdapterHasFeature) \
  X(AdapterInfoFreeMembers) \
  X(AdapterPropertiesSubgroupMatrixConfigsFreeMembers) \
  X(AdapterRelease) \
  X(AdapterRequestDevice) \
  X(BindGroupLayoutRelease) \
  X(BindGroupRelease) \
  X(BufferDestroy) \
  X(BufferGetConstMappedRange) \
  X(BufferMapAsync) \
  X(BufferRelease) \
  X(BufferUnmap) \
  X(CommandBufferRelease) \
  X(CommandEncoderBeginComputePass) \
  X(CommandEncoderClearBuffer) \
  X(CommandEncoderCopyBufferToBuffer) \
  X(CommandEncoderFinish) \
  X(CommandEncoderRelease) \
  X(CommandEncoderResolveQuerySet) \
  X(ComputePassEncoderDispatchWorkgroups) \
  X(ComputePassEncoderEnd) \
  X(ComputePassEncoderRelease) \
  X(ComputePassEncoderSetBindGroup) \
  X(ComputePassEncoderSetPipeline) \
  X(ComputePipelineRelease) \
  X(DeviceCreateBindGroup) \
  X(DeviceCreateBindGroupLayout) \
  X(DeviceCreateBuffer) \
  X(DeviceCreateCommandEncoder) \
  X(DeviceCreateComputePipelineAsync) \
  X(DeviceCreatePipelineLayout) \
  X(DeviceCreateQuerySet) \
  X(DeviceCreateShaderModule) \
  X(DeviceDestroy) \
  X(DeviceForceLoss) \
  X(DeviceGetQueue) \
  X(DevicePopErrorScope) \
  X(DevicePushErrorScope) \
  X(DeviceRelease) \
  X(DeviceSetLoggingCallback) \
  X(PipelineLayoutRelease) X(QuerySetRelease) X(QueueOnSubmittedWorkDone) X(QueueRelease) X(QueueSubmit) \
      X(QueueWriteBuffer) X(ShaderModuleGetCompilationInfo) X(ShaderModuleRelease)
// clang-format on

struct DawnProcs {
#define WEFT_DAWN_MEMBER(name) WGPUProc##name name = nullptr;
  WEFT_DAWN_PROCS(WEFT_DAWN_MEMBER)
#undef WEFT_DAWN_MEMBER
};

// Loaded at the first call and never unloaded. no_device with the loader's message if that fails.
Result<const DawnProcs*> dawn_procs();

// no_device if there is no Vulkan loader, or no driver behind it. (Dawn finds that out too, and prints it.) Every
// driver brings this extension of the instance, the loader alone does not; drivers stay loaded, so asking costs
// nothing.
Status vulkan_driver();

inline WGPUStringView dawn_text(std::string_view text) { return {text.data(), text.size()}; }
inline std::string dawn_text(WGPUStringView text) {
  if (!text.data) return {};
  return text.length == WGPU_STRLEN ? std::string(text.data) : std::string(text.data, text.length);
}

}  // namespace weft
