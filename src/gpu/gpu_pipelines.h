// The pipelines of a device by kernel and constants: layers, plans and samplers share them.
//
//   WEFT_CO_TRY(const auto made, co_await pipelines.get({{"rms_norm", constants.text()}, …}));   // in the same order
#pragma once

#include <map>

#include "gpu/gpu.h"

namespace weft {

class GpuPipelines {
 public:
  explicit GpuPipelines(Gpu& gpu) : gpu_(gpu) {}  // which outlives it
  struct Kernel {
    std::string_view shader;     // stem of the .wgsl file
    std::string_view constants;  // for its marked block
  };
  // What is not there yet is compiled side by side; bad_shader as from create_pipelines, then none of it is kept.
  Task<Result<std::vector<GpuPipeline>>> get(std::vector<Kernel> kernels);

 private:
  Gpu& gpu_;
  std::map<std::string, GpuPipeline, std::less<>> made_;  // by shader and constants
};

}  // namespace weft
