// The class behind open_gpu: dawn.cc has its life, buffers and bind groups, dawn_compile.cc the kernels,
// dawn_commands.cc what is submitted, dawn_reads.cc what comes back. Included by dawn*.cc only.
//
// Natively waiting for the GPU is waiting: every task here runs to its end when it is started.
#pragma once

#include "gpu/dawn_adapters.h"
#include "gpu/gpu_checks.h"
#include "gpu/slots.h"

namespace weft::dawn {

struct Buffer : GpuBufferFacts {
  WGPUBuffer handle = nullptr;
};

struct Pipeline {
  WGPUComputePipeline handle = nullptr;
  WGPUBindGroupLayout layout = nullptr;
  std::vector<WgslBinding> bindings;
  std::string label;
};

struct BindGroup {
  WGPUBindGroup handle = nullptr;
};

// A staging buffer and the read-back that it serves.
struct ReadBack {
  WGPUBuffer handle = nullptr;
  int64_t capacity = 0, bytes = 0;
  WGPUFuture future = {};
  WGPUMapAsyncStatus status = WGPUMapAsyncStatus_CallbackCancelled;
  std::string message;
};

struct Compile {
  GpuShader shader;
  Pipeline pipeline;
  WGPUShaderModule module = nullptr;
  WGPUFuture future = {};
  std::string message;
};

// Dawn's messages have several lines; an error has one.
std::string one_line(std::string text);

class DawnGpu final : public Gpu {
 public:
  explicit DawnGpu(DawnDevice device) : d_(std::move(device)), dawn_(*d_.procs), trouble_(*d_.trouble) {
    queue_ = dawn_.DeviceGetQueue(d_.device);
  }
  ~DawnGpu() override;

  const GpuInfo& info() const override { return d_.info; }
  Task<Result<GpuBuffer>> create_buffer(int64_t bytes, std::string label) override;
  void destroy(GpuBuffer buffer) override;
  void destroy(GpuBindGroup group) override;
  Task<Result<std::vector<GpuPipeline>>> create_pipelines(std::span<const GpuShader> shaders) override;
  Result<GpuBindGroup> create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) override;
  Status write(GpuBuffer buffer, int64_t offset, std::span<const std::byte> bytes) override;
  Status submit(const GpuCommands& commands) override;
  Result<GpuTicket> begin_read(GpuBuffer buffer, int64_t offset, int64_t bytes) override;
  Task<Status> end_read(GpuTicket ticket, std::span<std::byte> out) override;
  Task<Status> finish() override { co_return wait_idle(); }
  Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> read_timestamps(uint32_t count) override;
  Status health() const override { return trouble_.take(); }
  int64_t bytes_in_use() const override { return bytes_in_use_; }
  void lose() override;

 private:
  Status wait(WGPUFuture future);
  Status wait_idle();
  void push_scopes();
  Status pop_scopes(const std::string& where, const std::string& what);
  Result<WGPUBuffer> make_buffer(int64_t bytes, WGPUBufferUsage usage, const std::string& label);
  void drop_buffer(WGPUBuffer handle, int64_t bytes);
  Result<Buffer*> find(GpuBuffer buffer, int64_t offset, int64_t bytes, const char* what);
  Status begin_compile(Compile& compile);
  Status compile_error(Compile& compile);
  void drop(Pipeline& pipeline);
  Status record(const GpuCommands& commands, WGPUCommandEncoder encoder);
  Status ensure_queries();
  void send(WGPUCommandEncoder encoder);
  Result<std::unique_ptr<ReadBack>> take_staging(int64_t bytes);
  void begin_map(ReadBack& read);
  Status end_map(std::unique_ptr<ReadBack> read, std::span<std::byte> out);

  DawnDevice d_;
  const DawnProcs& dawn_;
  DawnTrouble& trouble_;
  WGPUQueue queue_ = nullptr;
  Slots<Buffer> buffers_;
  Slots<Pipeline> pipelines_;
  Slots<BindGroup> groups_;
  Slots<std::unique_ptr<ReadBack>> reads_;
  std::vector<std::unique_ptr<ReadBack>> pool_;
  // Dawn allows 4096 queries in a set (its kMaxQueryCount), two a pass.
  static constexpr uint32_t kPassesPerSet = 2048, kQuerySets = kMaxTimedPasses / kPassesPerSet;
  static_assert(kMaxTimedPasses % kPassesPerSet == 0);
  WGPUQuerySet queries_[kQuerySets] = {};
  WGPUBuffer resolved_ = nullptr;  // kMaxTimedPasses times begin and end
  int64_t bytes_in_use_ = 0, unsent_ = 0;
  bool hung_ = false;
};

}  // namespace weft::dawn
