// What an adapter's abilities shrink to under a profile of gpu.h.
#pragma once

#include "gpu/gpu.h"

namespace weft {

GpuInfo apply_profile(GpuProfile profile, GpuInfo adapter);

}  // namespace weft
