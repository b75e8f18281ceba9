// Finds the best kernel and variant for each kind of step of a model's plans on a GPU, by trying them all on the real
// weights: candidate i of every kind at once makes one plan, and the steps of a kind are timed as a chain.
//
//   const Plan* const plans[] = {&decode, &prefill};          // made without tuning; weights loaded, states created
//   WEFT_CO_TRY(TuneReport report, co_await tune(host, device, model, plans, {}));
//   device.set_tuning(std::make_shared<Tuning>(report.tuning));   // for plans made from now on
#pragma once

#include "gpu/webgpu_device.h"

namespace weft {

struct TuneOptions {
  double seconds = 25;     // shared by the plans: no new candidate is tried after it
  int64_t context = 1024;  // most cells in use while decoding, as far as the plan has them
  double worth = 0.03;     // what a candidate must gain over the one that runs without tuning
  Progress progress;       // candidates done and in all
  const CancelFlag* cancel = nullptr;
};

// One kind of step: what call_key distinguishes.
struct TunedCall {
  struct Tried {
    Tuning::Choice choice;
    double seconds = 0;  // of one step; 0: not measured
    std::string error;   // why it cannot run
  };
  std::string key;
  int steps = 0;             // of that kind in the plan
  std::vector<Tried> tried;  // the first: without tuning
  size_t best = 0;
};

struct TuneReport {
  struct PlanTime {
    int64_t tokens = 0;
    double before = 0, after = 0;  // seconds of a step of this plan
    bool kept = true;              // false: not better as a whole, so nothing is kept of it
  };
  std::vector<TunedCall> calls;
  std::vector<PlanTime> plans;
  Tuning tuning;          // one choice a kind that was measured, also where the first is best
  bool complete = false;  // false: the time was up
};

// States and the activations of `plans` hold anything afterwards. `cancelled` after a cancel.
Task<Result<TuneReport>> tune(Host& host, WebgpuDevice& device, const Model& model, std::span<const Plan* const> plans,
                              const TuneOptions& options);

}  // namespace weft
