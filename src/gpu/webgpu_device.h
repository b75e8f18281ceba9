// The device behind WebGPU: plans as command lists, weights and states in its buffers.
//
//   WEFT_CO_TRY(auto gpu, co_await make_dawn_gpu(host, {}));
//   auto device = make_webgpu_device(host, std::move(gpu));
//   co_await device->load(model, plans, reader, progress, &cancel);   // and on as with the CPU's
#pragma once

#include <memory>

#include "gpu/gpu.h"
#include "plan/device.h"

namespace weft {

class WebgpuDevice : public Device {
 public:
  virtual Gpu& gpu() = 0;
  // What kernels are chosen by in plans made from now on.
  virtual void set_tuning(std::shared_ptr<const Tuning> tuning) = 0;
  // GPU time of one step of a prepared plan with the sizes last submitted, by dispatch in order, in seconds.
  // `unsupported` without timestamps.
  struct TimedDispatch {
    int step = 0;  // of the plan
    std::string_view shader;
    double begin = 0, seconds = 0;  // begin: from the first one's
  };
  virtual Task<Result<std::vector<TimedDispatch>>> time_plan(const Plan& plan) = 0;
  // Where a plan's dispatches, bytes and buffers stand: for figures.
  virtual int64_t bytes_in_use() const = 0;
};

// The caps of a GPU: name "webgpu NVIDIA H200 (vulkan)".
Caps webgpu_caps(const GpuInfo& info);
// The host must outlive the device.
std::unique_ptr<WebgpuDevice> make_webgpu_device(Host& host, std::unique_ptr<Gpu> gpu);

}  // namespace weft
