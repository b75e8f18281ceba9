// The passes themselves, a file each. For run_passes and tests.
#pragma once

#include "passes/passes.h"

namespace weft::passes {

void fuse_gated_activation(Graph& graph, const Model& model, const Target& target);
void fuse_linear_add(Graph& graph, const Model& model, const Target& target);
void fuse_add_rms_norm(Graph& graph, const Model& model, const Target& target);
void quantize_activations(Graph& graph, const Model& model, const Target& target);
void drop_dead(Graph& graph, const Model& model, const Target& target);

}  // namespace weft::passes
