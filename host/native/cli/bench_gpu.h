// What bench measures of a GPU beside tokens a second.
#pragma once

#include "command.h"
#include "gpu/probe.h"
#include "plan/traffic.h"

namespace weft {
class Session;
}

namespace weft::cli {

struct GpuFigures {
  GpuMeasures limits;
  Traffic traffic;     // of a decode step
  int dispatches = 0;  // of a decode step, without sampling
  double step = 0;     // seconds of a decode step: 1 / tokens a second
  double host = 0;     // of them the host's, encoding and submitting
  double ttft = 0;     // seconds to the first token after a prompt of kShortPrompt tokens, the median
  int64_t bytes_in_use = 0, bytes_predicted = 0;  // of GPU memory
  size_t tuned = 0;                               // kinds of steps that were tuned
};
inline constexpr int64_t kShortPrompt = 32;

// `step`: seconds of a decode step as measured with `length` cells in use, half way. The session holds anything
// afterwards.
Result<GpuFigures> gpu_figures(Context& context, LanguageModel& model, Session& session, double step, int64_t length);
std::string to_text(const GpuFigures& figures);
OrderedJson to_json(const GpuFigures& figures);

// Tokens a second of decoding in three ways: buffers and bind groups made for each step, whose logits the host reads;
// these kept; and as generation does it, many steps ahead with ids read back in bursts.
struct Stages {
  double remade = 0, reused = 0, pipelined = 0;
};
Result<Stages> measure_stages(Context& context, LanguageModel& model, double pipelined, int64_t steps, int64_t depth);

}  // namespace weft::cli
