// What an adapter's abilities shrink to under a profile of gpu.h.
#pragma once

#include <optional>
#include <string_view>

#include "gpu/gpu.h"

namespace weft {

std::optional<GpuProfile> gpu_profile_from_name(std::string_view name);  // "full", "chrome", "safari", "minimum"
GpuInfo apply_profile(GpuProfile profile, GpuInfo adapter);

}  // namespace weft
