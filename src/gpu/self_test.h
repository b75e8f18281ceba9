// Small kernels that show whether a device does what it says: f16 arithmetic, products of packed integers, subgroup
// operations, subgroup matrices. Drivers err here, and wrong answers would only be seen as bad text.
//
//   WEFT_CO_TRY(auto tests, co_await test_features(*gpu));
//   GpuInfo usable = without_failed(gpu->info(), tests);
#pragma once

#include "gpu/gpu.h"

namespace weft {

struct FeatureTest {
  std::string feature;  // "f16", "packed-dot", "subgroups", "subgroup-matrix 16x16x16 f32"
  bool passed = false;
  std::string found;  // what was wrong
};

// One result a feature that the GPU grants, a subgroup matrix shape being a feature. A kernel that the GPU's compiler
// refuses is a failed feature; errors are those of the device itself.
Task<Result<std::vector<FeatureTest>>> test_features(Gpu& gpu);
// `info` with the failed features off.
GpuInfo without_failed(GpuInfo info, std::span<const FeatureTest> tests);

}  // namespace weft
