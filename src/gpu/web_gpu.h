// The class behind open_gpu where the GPU is JavaScript's: web_open.cc finds it, web_gpu.cc has its life and what is
// made, web_commands.cc what is submitted and comes back. Included by web_*.cc only.
//
// All of it belongs to one thread. A task that is destroyed while it waits takes back what it was making.
#pragma once

#include "base/pending.h"
#include "gpu/gpu_checks.h"
#include "gpu/slots.h"

namespace weft::web {

// What the GPU reports besides the answers to calls.
class Trouble {
 public:
  // The first error not yet reported, once; the loss again and again.
  Status take();
  void set(Code code, std::string message);

 private:
  bool lost_ = false, any_ = false;
  Error error_;
};

struct Adapter {
  GpuInfo info;
  GpuUniformLimits uniforms;
};

struct Pipeline {
  std::string label;
  std::vector<WgslBinding> bindings;
  bool given = false;
};

struct BindGroup {
  bool given = false;
};

struct ReadBack {
  int64_t bytes = 0;
};

// Undoes at the end of its scope, also of a destroyed coroutine's.
template <class F>
class Undo {
 public:
  explicit Undo(F undo) : undo_(std::move(undo)) {}
  Undo(const Undo&) = delete;
  ~Undo() {
    if (armed_) undo_();
  }
  void keep() { armed_ = false; }

 private:
  F undo_;
  bool armed_ = true;
};

class WebGpu final : public Gpu {
 public:
  // JavaScript knows the number already, or will before the first call.
  WebGpu(uint32_t number, Adapter adapter);
  ~WebGpu() override;

  const GpuInfo& info() const override { return info_; }
  Task<Result<GpuBuffer>> create_buffer(int64_t bytes, std::string label) override;
  void destroy(GpuBuffer buffer) override;
  void destroy(GpuBindGroup group) override;
  Task<Result<std::vector<GpuPipeline>>> create_pipelines(std::span<const GpuShader> shaders) override;
  Result<GpuBindGroup> create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) override;
  Status write(GpuBuffer buffer, int64_t offset, std::span<const std::byte> bytes) override;
  Status submit(const GpuCommands& commands) override;
  Result<GpuTicket> begin_read(GpuBuffer buffer, int64_t offset, int64_t bytes) override;
  Task<Status> end_read(GpuTicket ticket, std::span<std::byte> out) override;
  Task<Status> finish() override;
  Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> read_timestamps(uint32_t count) override;
  Status health() const override { return trouble_.take(); }
  int64_t bytes_in_use() const override;
  void lose() override;

 private:
  friend void trouble(uint32_t number, Code code, std::string text);
  Task<Status> answered(Pending& pending, std::string where, std::string what);
  void destroy(GpuPipeline pipeline);
  Status check(std::span<const uint32_t> words);
  Task<Status> take(uint32_t ticket, std::span<std::byte> out);

  uint32_t number_;
  GpuInfo info_;
  GpuUniformLimits uniforms_;
  mutable Trouble trouble_;
  Slots<GpuBufferFacts> buffers_;
  Slots<Pipeline> pipelines_;
  Slots<BindGroup> groups_;
  Slots<ReadBack> reads_;
  int64_t bytes_in_use_ = 0;
};

uint32_t next_number();
void trouble(uint32_t number, Code code, std::string text);  // of one that is open; else nothing happens

}  // namespace weft::web
