// From Dawn's library to a device: instance, adapters, what they grant. Included by dawn*.cc only.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "gpu/dawn_procs.h"
#include "gpu/gpu_checks.h"

namespace weft {

// What the GPU reports besides the answers to calls, from any thread: device loss and uncaptured errors.
class DawnTrouble {
 public:
  // The first error not yet reported, once; the loss again and again.
  Status take() {
    if (!any_.load(std::memory_order_acquire)) return {};
    return take_locked();
  }
  bool lost() const;
  void set_lost(std::string message);
  void set_error(Code code, std::string message);

 private:
  Status take_locked();
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  bool lost_ = false;
  Error error_;
};

// An opened device with what it was made from. Plain data: dawn.cc takes care of its life.
struct DawnDevice {
  const DawnProcs* procs = nullptr;
  WGPUInstance instance = nullptr;
  WGPUAdapter adapter = nullptr;
  WGPUDevice device = nullptr;
  GpuInfo info;
  GpuUniformLimits uniforms;
  std::unique_ptr<DawnTrouble> trouble;
};

Result<DawnDevice> open_dawn_device(const GpuOptions& options);

}  // namespace weft
