// A plan run step by step, every named value read back and shown: for matching activations, not for speed.
#pragma once

#include "gpu/gpu_plan.h"

namespace weft {

Task<Status> submit_with_taps(const GpuPlan& prepared, Gpu& gpu, const TapSink& sink);

}  // namespace weft
