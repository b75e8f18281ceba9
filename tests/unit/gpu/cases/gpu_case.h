// One case by one kernel and variant as a model of one node, planned and run like any other.
#pragma once

#include "gpu/webgpu_device.h"
#include "unit/ops/case_runner.h"

namespace weft::test {

// A way to compute a case.
struct Choice {
  const Kernel* kernel = nullptr;
  int variant = 0;
};

// Every kernel and variant that computes the case on a device with `caps`.
std::vector<Choice> choices(const CaseRun& run, const Caps& caps);

class GpuCase {
 public:
  GpuCase(const CaseRun& run, const Caps& caps, Choice choice);
  GpuCase(const GpuCase&) = delete;

  const CaseRun& run;
  const Choice choice;
  const std::string what;  // for messages
  Result<Plan> plan;       // fails, or has another kernel, where the choice did not hold

  std::vector<GpuShader> shaders() const;
  // Loads the weights (once a device: other choices of the same case share them) and prepares the plan; then computes
  // the results, of the case itself or of one row of it.
  Task<Status> load(Device& device);
  Task<Status> prepare(Device& device) { return device.prepare(*plan); }
  Task<Result<std::vector<std::vector<float>>>> compute(Device& device, const CaseRun& data);

 private:
  Model model_;
};

}  // namespace weft::test
