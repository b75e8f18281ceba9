// Tensors as floats, for taps and tests.
#pragma once

#include <vector>

#include "ops/kernel.h"

namespace weft {

// A tensor's elements as floats in row-major order: any activation or state type.
std::vector<float> to_floats(const TensorRef& tensor);

}  // namespace weft
