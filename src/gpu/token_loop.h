// Pipelined decoding on a GPU: the steps of a decode plan and the sampler, one after the other in its queue.
#pragma once

#include <functional>

#include "gpu/gpu_plan.h"

namespace weft {

// `find`: the prepared form of another plan, for its logits. Everything it refers to must outlive the loop.
Task<Result<std::unique_ptr<TokenLoop>>> make_gpu_token_loop(Gpu& gpu, GpuPipelines& pipelines, GpuPlan& decode,
                                                             std::function<GpuPlan*(const Plan&)> find);
// Whether a plan can be looped: one token from ids to one row of logits.
bool can_loop(const Plan& plan);

}  // namespace weft
