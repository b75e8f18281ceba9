#include "passes/passes.h"

#include <algorithm>
#include <chrono>

#include "passes/rewrites.h"

namespace weft {
namespace {

bool decodes_on_gpu(const Target& target) { return target.caps.kind == Caps::Kind::webgpu && target.tokens == 1; }
bool not_decoding_on_gpu(const Target& target) { return !decodes_on_gpu(target); }
// Where a GPU has them, matrix units take rows as they are.
bool by_integers(const Target& target) {
  return not_decoding_on_gpu(target) && (target.caps.kind == Caps::Kind::cpu || target.caps.gpu.matrices.empty());
}

constexpr Pass kPasses[] = {
    {"fuse_gated_activation", "activation and product of a gated MLP in one step", nullptr,
     passes::fuse_gated_activation},
    {"fuse_linear_add", "matrix product and residual sum in one step", nullptr, passes::fuse_linear_add},
    {"fuse_add_rms_norm", "sum and the norm that follows it in one step", not_decoding_on_gpu,
     passes::fuse_add_rms_norm},
    {"quantize_activations", "integer products on block-quantised weights", by_integers, passes::quantize_activations},
    {"quantize_inside", "matrices of one token round its row themselves", decodes_on_gpu, passes::quantize_inside},
    {"fuse_qkv", "norm, projections, rotation and cache writes of one token in one step", decodes_on_gpu,
     passes::fuse_qkv},
    {"fuse_norm_linear", "norm and the matrices of one token that read it in one step", decodes_on_gpu,
     passes::fuse_norm_linear},
    {"drop_dead", "nothing is computed that nobody reads", nullptr, passes::drop_dead},
};

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Result<Graph> run_passes(const Graph& graph, const Model& model, const Target& target,
                         std::span<const std::string> disabled, std::vector<PassReport>* report) {
  WEFT_CHECK_OK(verify(graph));
  for (const std::string& name : disabled) {
    const bool known = name == "*" || std::any_of(std::begin(kPasses), std::end(kPasses),
                                                  [&](const Pass& pass) { return pass.name == name; });
    if (known) continue;
    std::string names = "*";
    for (const Pass& pass : kPasses) names += ", " + std::string(pass.name);
    return fail(Code::invalid_argument, "passes", "name of a pass", names, "'" + name + "'");
  }
  auto off = [&](std::string_view name) {
    return std::any_of(disabled.begin(), disabled.end(), [&](const std::string& d) { return d == "*" || d == name; });
  };
  Graph result = graph;
  for (const Pass& pass : kPasses) {
    if (off(pass.name) || (pass.applies && !pass.applies(target))) continue;
    const auto start = std::chrono::steady_clock::now();
    const auto before = static_cast<int>(result.nodes.size());
    pass.run(result, model, target);
    if (Status status = verify(result); !status) {
      return fail(Code::internal, "pass " + std::string(pass.name), "its result", "a graph that verifies",
                  status.error().message());
    }
    if (!report) continue;
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
    report->push_back({std::string(pass.name), before, static_cast<int>(result.nodes.size()), ms.count()});
  }
  return result;
}

}  // namespace weft
