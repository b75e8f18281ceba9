// What a GPU's limits measured, for commands that compare with them.
#pragma once

#include "command.h"
#include "gpu/probe.h"

namespace weft::cli {

// From the cache, else (or with `again`) measured now and kept.
Result<GpuMeasures> measures_of(Context& context, Gpu& gpu, bool again = false, bool* cached = nullptr);
OrderedJson measures_json(const GpuMeasures& measures);

}  // namespace weft::cli
