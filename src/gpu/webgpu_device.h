// The device behind WebGPU: plans as command lists, weights and states in its buffers.
//
//   WEFT_CO_TRY(auto gpu, co_await open_gpu(host, {}));
//   WEFT_CO_TRY(auto device, co_await make_webgpu_device(host, std::move(gpu)));
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
  // Seconds for these steps of a prepared plan, in this order, `repeats` times one after the other, with the sizes last
  // submitted: by the GPU's clock, without timestamps by the host's, the wait for the answer included.
  virtual Task<Result<double>> time_steps(const Plan& plan, std::span<const int> steps, int repeats) = 0;
  // Makes the buffers and bind groups of a prepared plan anew, to measure what reusing them saves. Its loop is gone:
  // prepare the plan again for that.
  virtual Task<Status> renew(const Plan& plan) = 0;
  // Gives back what prepare made for the plan.
  virtual Task<void> forget(const Plan& plan) = 0;
};

// The caps of a GPU: name "webgpu NVIDIA H200 (vulkan)".
Caps webgpu_caps(const GpuInfo& info);
// Features that fail their test (self_test.h) are off in the device's caps, and the log says which. The host must
// outlive the device.
Task<Result<std::unique_ptr<WebgpuDevice>>> make_webgpu_device(Host& host, std::unique_ptr<Gpu> gpu);
// The same with these caps, untested.
std::unique_ptr<WebgpuDevice> make_webgpu_device(Host& host, std::unique_ptr<Gpu> gpu, Caps caps);

}  // namespace weft
