// A Gpu for tests of kernels on top of another that outlives it. Buffers begin as 0xFF (NaN in every float type, -1)
// and have bytes behind them that nobody may write; kernels are compiled once by their text.
#pragma once

#include <map>
#include <set>
#include <string>

#include "gpu/gpu.h"

namespace weft::test {

// What devices that come and go share: the GPU and its pipelines.
struct SharedGpu {
  std::unique_ptr<Gpu> gpu;
  std::map<std::string, GpuPipeline> pipelines;  // by their text
  // Compiles what is not yet known side by side, and writes each text to `folder` where that is not empty.
  Task<Status> compile(std::span<const GpuShader> shaders, const std::string& folder);
};

class CaseGpu : public Gpu {
 public:
  explicit CaseGpu(SharedGpu& shared) : shared_(shared), gpu_(*shared.gpu) {}
  ~CaseGpu() override;
  // The labels of buffers that were written behind their end, since the last call.
  Task<Result<std::string>> damage();

  const GpuInfo& info() const override { return gpu_.info(); }
  Task<Result<GpuBuffer>> create_buffer(int64_t bytes, std::string label) override;
  void destroy(GpuBuffer buffer) override;
  void destroy(GpuBindGroup group) override { gpu_.destroy(group); }
  Task<Result<std::vector<GpuPipeline>>> create_pipelines(std::span<const GpuShader> shaders) override;
  // Bindings that reach the end of a buffer take the guard in: drivers drop writes beyond a binding.
  Result<GpuBindGroup> create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) override;
  Status write(GpuBuffer buffer, int64_t offset, std::span<const std::byte> bytes) override {
    return gpu_.write(buffer, offset, bytes);
  }
  Status submit(const GpuCommands& commands) override { return gpu_.submit(commands); }
  Result<GpuTicket> begin_read(GpuBuffer buffer, int64_t offset, int64_t bytes) override {
    return gpu_.begin_read(buffer, offset, bytes);
  }
  Task<Status> end_read(GpuTicket ticket, std::span<std::byte> out) override { return gpu_.end_read(ticket, out); }
  Task<Status> finish() override { return gpu_.finish(); }
  Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> read_timestamps(uint32_t count) override {
    return gpu_.read_timestamps(count);
  }
  Status health() const override { return gpu_.health(); }
  int64_t bytes_in_use() const override { return gpu_.bytes_in_use(); }
  void lose() override { gpu_.lose(); }

 private:
  struct Buffer {
    std::string label;
    int64_t bytes = 0;
  };
  SharedGpu& shared_;
  Gpu& gpu_;
  std::map<GpuBuffer, Buffer> buffers_;
  GpuBuffer guards_ = GpuBuffer::none;  // all guards side by side, to be read at once
  size_t guard_room_ = 0;
};

}  // namespace weft::test
