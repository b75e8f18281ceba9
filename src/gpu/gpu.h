// One GPU that speaks WebGPU, as little of it as an engine needs: buffers, pipelines, bind groups, command lists,
// read-backs. dawn.cc implements it natively; in the browser it is JavaScript behind the same calls. Nothing above
// knows which. Nothing here blocks by contract: what the GPU answers is awaited.
//
//   WEFT_CO_TRY(auto gpu, co_await open_gpu(host, {}));
//   WEFT_CO_TRY(GpuBuffer x, co_await gpu->create_buffer(4096, "x"));
//   WEFT_CO_TRY(GpuPipeline scale, co_await gpu->create_pipeline({"scale", wgsl}));
//   WEFT_CO_TRY(GpuBindGroup group, gpu->create_bind_group(scale, {{{x, 0, 4096}}}));
//   GpuCommands commands;
//   commands.dispatch(scale, group, 16, 1, 1);
//   WEFT_CO_CHECK_OK(gpu->submit(commands));
//   WEFT_CO_CHECK_OK(co_await gpu->read(x, 0, bytes));
//
// Errors of the GPU are ordinary: pipelines and buffers are made inside error scopes (bad_shader, out_of_memory);
// anything found later (a validation error, a lost device) is returned by the next call, `device_lost` by all calls
// after a loss. A handle that was destroyed or never given is invalid_argument.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/host.h"
#include "ops/gpu_info.h"

namespace weft {

// Handles: small numbers given by the implementation, 0 for none.
enum class GpuBuffer : uint32_t { none };
enum class GpuPipeline : uint32_t { none };
enum class GpuBindGroup : uint32_t { none };
enum class GpuTicket : uint32_t { none };  // a read-back under way

// Part of a buffer for a binding.
struct GpuRange {
  GpuBuffer buffer = GpuBuffer::none;
  int64_t offset = 0, bytes = 0;
};

// One kernel: a label for messages and profiles, and the text of its module.
struct GpuShader {
  std::string label, wgsl;
};

// What to do, in order, as one list of words: it crosses to the host in one piece.
class GpuCommands {
 public:
  enum Code : uint32_t { kDispatch, kCopy, kClear, kTimedPass };
  void clear() { words_.clear(); }  // keeps the memory
  void dispatch(GpuPipeline pipeline, GpuBindGroup group, uint32_t x, uint32_t y, uint32_t z) {
    push({kDispatch, static_cast<uint32_t>(pipeline), static_cast<uint32_t>(group), x, y, z});
  }
  // Between two different buffers; offsets and bytes are multiples of 4.
  void copy(GpuBuffer from, int64_t from_offset, GpuBuffer to, int64_t to_offset, int64_t bytes) {
    push({kCopy, static_cast<uint32_t>(from), static_cast<uint32_t>(to)});
    for (int64_t n : {from_offset, to_offset, bytes})
      push({static_cast<uint32_t>(n), static_cast<uint32_t>(static_cast<uint64_t>(n) >> 32)});
  }
  void fill_zero(GpuBuffer buffer, int64_t offset, int64_t bytes) {
    push({kClear, static_cast<uint32_t>(buffer)});
    for (int64_t n : {offset, bytes})
      push({static_cast<uint32_t>(n), static_cast<uint32_t>(static_cast<uint64_t>(n) >> 32)});
  }
  // The dispatches that follow (up to the next command of another kind) form a pass of their own, timed as entry
  // `index` < kMaxTimedPasses of read_timestamps. Without timestamps: ignored.
  void timed_pass(uint32_t index) { push({kTimedPass, index}); }

  std::span<const uint32_t> words() const { return words_; }
  bool empty() const { return words_.empty(); }

 private:
  void push(std::initializer_list<uint32_t> words) { words_.insert(words_.end(), words); }
  std::vector<uint32_t> words_;
};

class Gpu {
 public:
  virtual ~Gpu() = default;
  virtual const GpuInfo& info() const = 0;

  // Zeroed storage that can be copied from and to. A multiple of 4 bytes. out_of_memory with the size and the label.
  virtual Task<Result<GpuBuffer>> create_buffer(int64_t bytes, std::string label) = 0;
  virtual void destroy(GpuBuffer buffer) = 0;
  virtual void destroy(GpuBindGroup group) = 0;

  // Entry points `main`, compiled side by side: pass as many as there are. The layout of group 0 is read from the
  // declarations `@group(0) @binding(n) var<storage, read>`, `var<storage, read_write>` or `var<uniform>` of the text,
  // which need not all be used. bad_shader with the label, the line and the compiler's message of the first that fails;
  // then none is made. `shaders` must stay valid until the task is done.
  virtual Task<Result<std::vector<GpuPipeline>>> create_pipelines(std::span<const GpuShader> shaders) = 0;
  Task<Result<GpuPipeline>> create_pipeline(GpuShader shader);  // one
  // Ranges by binding number; a number that the text leaves out takes GpuRange{}. Offsets are multiples of
  // info().offset_alignment. invalid_argument names the pipeline and the binding that does not fit.
  virtual Result<GpuBindGroup> create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) = 0;

  // Before all work submitted later. Offset and size are multiples of 4.
  virtual Status write(GpuBuffer buffer, int64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Status submit(const GpuCommands& commands) = 0;

  // A read-back after all work submitted so far; several may be under way. Every ticket must be ended once, with as
  // many bytes as it was begun with. Offset and size are multiples of 4.
  virtual Result<GpuTicket> begin_read(GpuBuffer buffer, int64_t offset, int64_t bytes) = 0;
  virtual Task<Status> end_read(GpuTicket ticket, std::span<std::byte> out) = 0;
  Task<Status> read(GpuBuffer buffer, int64_t offset, std::span<std::byte> out);  // both
  virtual Task<Status> finish() = 0;                                              // all submitted work is done

  // Begin and end of timed passes 0 … count - 1 of the last submits, in nanoseconds. `unsupported` without timestamps.
  virtual Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> read_timestamps(uint32_t count) = 0;

  virtual Status health() const = 0;         // the first error not yet reported (now it is), or device_lost
  virtual int64_t bytes_in_use() const = 0;  // of all buffers, staging included
  virtual void lose() = 0;                   // as if the device were lost: for tests
};

inline constexpr uint32_t kMaxTimedPasses = 4096;

// How much of what the adapter has may be used.
enum class GpuProfile : uint8_t { full, chrome, safari, minimum };

struct GpuOptions {
  GpuProfile profile = GpuProfile::full;
  bool allow_software = true;  // lavapipe, SwiftShader
  int adapter = 0;             // in the order of gpu_adapters()
  // As in a browser: accesses outside a binding are clamped, workgroup memory starts as zeros, x / 0 == x. Without it
  // none of these holds and the kernels' inner loops are shorter. Tests say true.
  bool robust = false;
  // Commands are not checked: less host time a dispatch, but a wrong command is undefined.
  bool skip_validation = false;
};

// no_device names what was looked for: Dawn's library, a Vulkan driver, an adapter (Dawn's null adapter is none).
Task<Result<std::unique_ptr<Gpu>>> open_gpu(Host& host, GpuOptions options);
// What each adapter grants to profile full; the fastest first. Adapters of the same name are one.
Task<Result<std::vector<GpuInfo>>> gpu_adapters(Host& host);

}  // namespace weft
