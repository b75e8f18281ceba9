#include "gpu/gpu_pipelines.h"

#include "ops/gpu_kernel.h"

namespace weft {

Task<Result<std::vector<GpuPipeline>>> GpuPipelines::get(std::vector<Kernel> kernels) {
  using Entry = decltype(made_)::iterator;
  std::vector<Entry> wanted, missing;
  std::vector<GpuShader> shaders;
  for (const Kernel& kernel : kernels) {
    const auto [entry, is_new] =
        made_.try_emplace(std::string(kernel.shader) + "\n" + std::string(kernel.constants), GpuPipeline::none);
    wanted.push_back(entry);
    if (!is_new) continue;
    missing.push_back(entry);
    shaders.push_back({std::string(kernel.shader), specialised_wgsl(kernel.shader, kernel.constants)});
  }
  if (!missing.empty()) {
    auto compiled = co_await gpu_.create_pipelines(shaders);
    if (!compiled) {
      for (const Entry entry : missing) made_.erase(entry);
      co_return std::unexpected(std::move(compiled).error());
    }
    for (size_t i = 0; i < missing.size(); ++i) missing[i]->second = (*compiled)[i];
  }
  std::vector<GpuPipeline> pipelines;
  for (const Entry entry : wanted) pipelines.push_back(entry->second);
  co_return pipelines;
}

}  // namespace weft
