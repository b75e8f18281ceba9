// What was measured on the GPUs of this machine, in <cache folder>/gpu: a file for each adapter, driver and set of
// features, and each kind of figure. What is damaged or of another version is ignored, and the log says so.
#pragma once

#include "gpu/probe.h"
#include "native_host.h"
#include "ops/kernel.h"

namespace weft {

std::optional<GpuMeasures> cached_measures(Host& host, const GpuInfo& gpu);
Status keep_measures(const GpuInfo& gpu, const GpuMeasures& measures);

// What `weft tune` found with the kernels of this program; nullptr: nothing.
std::shared_ptr<const Tuning> cached_tuning(Host& host, const GpuInfo& gpu);
// Adds to what is there, replacing choices for the same calls. Returns the path.
Result<std::string> keep_tuning(Host& host, const GpuInfo& gpu, const Tuning& tuning);

}  // namespace weft
