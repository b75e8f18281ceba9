#include "case_gpu.h"

#include <algorithm>

#include "support/support.h"

namespace weft::test {
namespace {

constexpr int64_t kGuard = 256;  // bytes
constexpr std::byte kSentinel{0xA5};

}  // namespace

Task<Status> SharedGpu::compile(std::span<const GpuShader> shaders, const std::string& folder) {
  std::vector<GpuShader> missing;
  for (const GpuShader& shader : shaders) {
    if (pipelines.try_emplace(shader.wgsl, GpuPipeline::none).second) missing.push_back(shader);
  }
  for (const GpuShader& shader : missing) {
    if (folder.empty()) break;
    write_text(folder + "/" + shader.label + "." + std::to_string(std::hash<std::string>()(shader.wgsl)) + ".wgsl",
               shader.wgsl);
  }
  auto made = co_await gpu->create_pipelines(missing);
  for (size_t i = 0; i < missing.size(); ++i) {
    if (made) {
      pipelines[missing[i].wgsl] = (*made)[i];
    } else {
      pipelines.erase(missing[i].wgsl);
    }
  }
  if (!made) co_return std::unexpected(std::move(made).error());
  co_return Status{};
}

CaseGpu::~CaseGpu() {
  if (guards_ != GpuBuffer::none) gpu_.destroy(guards_);
}

Task<Result<GpuBuffer>> CaseGpu::create_buffer(int64_t bytes, std::string label) {
  std::vector<std::byte> fill(static_cast<size_t>(bytes + kGuard), std::byte{0xFF});
  std::fill(fill.begin() + bytes, fill.end(), kSentinel);
  WEFT_CO_TRY(const GpuBuffer buffer, co_await gpu_.create_buffer(bytes + kGuard, label));
  WEFT_CO_CHECK_OK(gpu_.write(buffer, 0, fill));
  buffers_[buffer] = {std::move(label), bytes};
  co_return buffer;
}

void CaseGpu::destroy(GpuBuffer buffer) {
  buffers_.erase(buffer);
  gpu_.destroy(buffer);
}

Task<Result<std::vector<GpuPipeline>>> CaseGpu::create_pipelines(std::span<const GpuShader> shaders) {
  WEFT_CO_CHECK_OK(co_await shared_.compile(shaders, ""));
  std::vector<GpuPipeline> made;
  for (const GpuShader& shader : shaders) made.push_back(shared_.pipelines[shader.wgsl]);
  co_return made;
}

Result<GpuBindGroup> CaseGpu::create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) {
  std::vector<GpuRange> wider(ranges.begin(), ranges.end());
  for (GpuRange& range : wider) {
    const auto found = buffers_.find(range.buffer);
    if (found == buffers_.end()) continue;
    const int64_t left = found->second.bytes - range.offset;
    if (left - range.bytes < 16) range.bytes = left + kGuard;
  }
  return gpu_.create_bind_group(pipeline, wider);
}

Task<Result<std::string>> CaseGpu::damage() {
  std::vector<std::byte> bytes(buffers_.size() * kGuard);
  if (bytes.empty()) co_return std::string();
  if (guard_room_ < bytes.size()) {
    if (guards_ != GpuBuffer::none) gpu_.destroy(guards_);
    WEFT_CO_TRY(guards_, co_await gpu_.create_buffer(static_cast<int64_t>(bytes.size()), "guards"));
    guard_room_ = bytes.size();
  }
  GpuCommands commands;
  int64_t at = 0;
  for (const auto& [buffer, about] : buffers_) {
    commands.copy(buffer, about.bytes, guards_, at, kGuard);
    at += kGuard;
  }
  WEFT_CO_CHECK_OK(gpu_.submit(commands));
  WEFT_CO_CHECK_OK(co_await gpu_.read(guards_, 0, bytes));
  std::string labels;
  at = 0;
  for (const auto& [buffer, about] : buffers_) {
    const auto guard = std::span(bytes).subspan(static_cast<size_t>(at), kGuard);
    if (std::ranges::any_of(guard, [](std::byte b) { return b != kSentinel; })) labels += "'" + about.label + "' ";
    at += kGuard;
  }
  co_return labels;
}

}  // namespace weft::test
