// Architectures: one file each, one line each in registry.cc.
#pragma once

#include "base/task.h"
#include "graph/model.h"
#include "weights/weights.h"

namespace weft {

struct ModelOptions {
  DType kv = DType::f16;  // f32, f16 or q8_0
};

// Builds the model that the file describes. `unsupported` names an unknown architecture and lists the known ones;
// missing_tensor and wrong_shape name the tensor. Awaits at most one small read: the rope divisors that some files
// carry as a tensor become a constant of the model.
Task<Result<Model>> build_model(Weights& weights, ModelOptions options);
std::span<const std::string_view> known_architectures();

}  // namespace weft
