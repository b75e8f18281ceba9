// Which instruction sets this processor runs and this build has kernels for.
#pragma once

#include <span>

#include "ops/kernel.h"

namespace weft {

std::span<const CpuLevel> available_cpu_levels();  // worst first, never empty
inline CpuLevel best_cpu_level() { return available_cpu_levels().back(); }

}  // namespace weft
