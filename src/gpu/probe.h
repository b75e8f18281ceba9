// What a GPU can do at best, measured with plain kernels that know nothing of models: the limits that the engine's
// figures are compared with.
//
//   WEFT_CO_TRY(GpuMeasures m, co_await measure_gpu(host, *gpu));   // about two seconds on a GPU
#pragma once

#include "gpu/gpu.h"

namespace weft {

struct GpuMeasures {
  double read_bandwidth = 0;  // bytes a second: loads of 16 bytes from a buffer much larger than the caches
  double dispatch = 0;        // seconds for one of many small dispatches, each waiting for the one before
  double read_back = 0;       // seconds from a submit to 4 bytes of its result on the host, the median
  // Steps a second of the matrix shapes of a decode step of SmolLM2-135M in signed bytes, as a chain without host
  // between: 30 layers of q+k+v [960, 576], o [576, 576], gate [1536, 576], up [1536, 576] and down [576, 1536], a
  // [576, 576] in place of the embedding and the output matrix [49152, 576]; bind groups made once, no tuning.
  double probe_steps = 0;
};
inline constexpr int kProbeDispatches = 152;

Task<Result<GpuMeasures>> measure_gpu(Host& host, Gpu& gpu);

}  // namespace weft
