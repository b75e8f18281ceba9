// The passes themselves, a file each. For run_passes and tests.
#pragma once

#include "passes/passes.h"

namespace weft::passes {

// Whether the target has a kernel for a node whose operands are values of `graph` (its results may be none yet).
bool has_kernel(const Graph& graph, const Node& node, const Model& model, const Target& target);
// Whether the weights among these operands are used once only, so that a device may put them side by side.
bool own_weights(const Graph& graph, const std::vector<int>& uses, std::span<const ValueId> operands);

void fuse_gated_activation(Graph& graph, const Model& model, const Target& target);
void fuse_linear_add(Graph& graph, const Model& model, const Target& target);
void fuse_add_rms_norm(Graph& graph, const Model& model, const Target& target);
void quantize_activations(Graph& graph, const Model& model, const Target& target);
void quantize_inside(Graph& graph, const Model& model, const Target& target);
void fuse_qkv(Graph& graph, const Model& model, const Target& target);
void fuse_norm_linear(Graph& graph, const Model& model, const Target& target);
void drop_dead(Graph& graph, const Model& model, const Target& target);

}  // namespace weft::passes
