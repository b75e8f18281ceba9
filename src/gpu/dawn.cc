// Gpu on Dawn, natively. Waiting for the GPU here is waiting: every task below runs to its end when it is started.

#include <algorithm>
#include <bit>
#include <cstring>

#include "gpu/dawn_adapters.h"
#include "gpu/slots.h"
#include "gpu/wgsl_bindings.h"

namespace weft {
namespace {

// No answer for so long is a hung GPU. One submit of an engine takes milliseconds to seconds; a software GPU computes
// a chunk of prefill of a large model for minutes.
constexpr uint64_t kPatience = 60'000'000'000, kSoftwarePatience = 900'000'000'000;  // ns

// write() keeps a copy until the GPU has it; so much may be waiting.
constexpr int64_t kMaxUnsent = int64_t{256} << 20;

// Dawn's own limit of queries in a set (kMaxQueryCount).
constexpr uint32_t kQueriesPerSet = 4096, kPassesPerSet = kQueriesPerSet / 2;
constexpr uint32_t kQuerySets = kMaxTimedPasses / kPassesPerSet;
static_assert(kMaxTimedPasses % kPassesPerSet == 0);

// Staging buffers above this are not kept for later reads.
constexpr int64_t kMaxPooled = int64_t{16} << 20;

struct Buffer {
  WGPUBuffer handle = nullptr;
  int64_t bytes = 0;
  std::string label;
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

Code code_of(WGPUErrorType type) {
  switch (type) {
    case WGPUErrorType_OutOfMemory:
      return Code::out_of_memory;
    case WGPUErrorType_Validation:
      return Code::invalid_argument;
    default:
      return Code::internal;
  }
}

// Dawn's messages have several lines; an error has one.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::string bytes_text(int64_t bytes) { return std::to_string(bytes) + " bytes"; }

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
  WGPUQuerySet queries_[kQuerySets] = {};
  WGPUBuffer resolved_ = nullptr;  // kMaxTimedPasses times begin and end
  int64_t bytes_in_use_ = 0, unsent_ = 0;
  bool hung_ = false;
};

DawnGpu::~DawnGpu() {
  // A hung GPU would hang its destruction too, and callbacks may still come: all of it stays.
  if (hung_) {
    (void)d_.trouble.release();
    for (auto& read : pool_) (void)read.release();
    reads_.for_each([](std::unique_ptr<ReadBack>& read) { (void)read.release(); });
    return;
  }
  auto drop_read = [&](std::unique_ptr<ReadBack>& read) {
    if (read) drop_buffer(read->handle, read->capacity);
  };
  reads_.for_each(drop_read);
  for (auto& read : pool_) drop_read(read);
  groups_.for_each([&](BindGroup& group) {
    if (group.handle) dawn_.BindGroupRelease(group.handle);
  });
  pipelines_.for_each([&](Pipeline& pipeline) { drop(pipeline); });
  buffers_.for_each([&](Buffer& buffer) {
    if (buffer.handle) drop_buffer(buffer.handle, buffer.bytes);
  });
  for (WGPUQuerySet set : queries_)
    if (set) dawn_.QuerySetRelease(set);
  if (resolved_) dawn_.BufferRelease(resolved_);
  dawn_.DeviceDestroy(d_.device);
  dawn_.QueueRelease(queue_);
  dawn_.DeviceRelease(d_.device);
  dawn_.AdapterRelease(d_.adapter);
  dawn_.InstanceRelease(d_.instance);
}

Status DawnGpu::wait(WGPUFuture future) {
  WGPUFutureWaitInfo info = {future, 0};
  uint64_t patience = d_.info.software ? kSoftwarePatience : kPatience;
  switch (dawn_.InstanceWaitAny(d_.instance, 1, &info, patience)) {
    case WGPUWaitStatus_Success:
      return {};
    case WGPUWaitStatus_TimedOut:
      hung_ = true;
      trouble_.set_lost("no answer for " + std::to_string(patience / 1'000'000'000) + " s");
      return trouble_.take();
    default:
      return fail(Code::internal, "GPU", "waiting for an answer", "a future of this device", {});
  }
}

Status DawnGpu::wait_idle() {
  WEFT_CHECK_OK(trouble_.take());
  dawn_.QueueSubmit(queue_, 0, nullptr);  // what write() holds back
  WGPUQueueWorkDoneCallbackInfo callback = WGPU_QUEUE_WORK_DONE_CALLBACK_INFO_INIT;
  callback.mode = WGPUCallbackMode_WaitAnyOnly;
  callback.callback = [](WGPUQueueWorkDoneStatus, WGPUStringView, void*, void*) {};
  WEFT_CHECK_OK(wait(dawn_.QueueOnSubmittedWorkDone(queue_, callback)));
  unsent_ = 0;
  return trouble_.take();
}

void DawnGpu::push_scopes() {
  for (auto filter : {WGPUErrorFilter_Validation, WGPUErrorFilter_OutOfMemory, WGPUErrorFilter_Internal})
    dawn_.DevicePushErrorScope(d_.device, filter);
}

Status DawnGpu::pop_scopes(const std::string& where, const std::string& what) {
  struct Answer {
    WGPUErrorType type = WGPUErrorType_NoError;
    std::string message;
  };
  Answer first;
  for (int i = 0; i < 3; ++i) {
    Answer answer;  // natively a scope answers at once
    WGPUPopErrorScopeCallbackInfo callback = WGPU_POP_ERROR_SCOPE_CALLBACK_INFO_INIT;
    callback.mode = WGPUCallbackMode_WaitAnyOnly;
    callback.userdata1 = &answer;
    callback.callback = [](WGPUPopErrorScopeStatus, WGPUErrorType type, WGPUStringView message, void* to, void*) {
      *static_cast<Answer*>(to) = {type, dawn_text(message)};
    };
    WEFT_CHECK_OK(wait(dawn_.DevicePopErrorScope(d_.device, callback)));
    if (first.message.empty()) first = std::move(answer);
  }
  WEFT_CHECK_OK(trouble_.take());
  if (first.message.empty()) return {};
  return fail(code_of(first.type), where, what, {}, one_line(std::move(first.message)));
}

Result<WGPUBuffer> DawnGpu::make_buffer(int64_t bytes, WGPUBufferUsage usage, const std::string& label) {
  WGPUBufferDescriptor descriptor = WGPU_BUFFER_DESCRIPTOR_INIT;
  descriptor.label = dawn_text(std::string_view(label));
  descriptor.usage = usage;
  descriptor.size = static_cast<uint64_t>(bytes);
  push_scopes();
  WGPUBuffer handle = dawn_.DeviceCreateBuffer(d_.device, &descriptor);
  if (Status made = pop_scopes(label, "a buffer of " + bytes_text(bytes)); !made) {
    if (handle) dawn_.BufferRelease(handle);
    return fail(std::move(made).error());
  }
  bytes_in_use_ += bytes;
  return handle;
}

// At once, not when the last bind group that names it goes.
void DawnGpu::drop_buffer(WGPUBuffer handle, int64_t bytes) {
  dawn_.BufferDestroy(handle);
  dawn_.BufferRelease(handle);
  bytes_in_use_ -= bytes;
}

Task<Result<GpuBuffer>> DawnGpu::create_buffer(int64_t bytes, std::string label) {
  WEFT_CO_CHECK_OK(trouble_.take());
  if (bytes <= 0 || bytes % 4 != 0)
    co_return fail(Code::invalid_argument, label, "the size of a buffer", "a multiple of 4 above 0", bytes_text(bytes));
  if (bytes > d_.info.max_buffer_bytes)
    co_return fail(Code::out_of_memory, label, "the size of a buffer",
                   "at most " + bytes_text(d_.info.max_buffer_bytes), bytes_text(bytes));
  WEFT_CO_TRY(WGPUBuffer handle, make_buffer(bytes,
                                             WGPUBufferUsage_Storage | WGPUBufferUsage_Uniform |
                                                 WGPUBufferUsage_CopySrc | WGPUBufferUsage_CopyDst,
                                             label));
  co_return GpuBuffer{buffers_.add({handle, bytes, std::move(label)})};
}

void DawnGpu::destroy(GpuBuffer buffer) {
  auto id = static_cast<uint32_t>(buffer);
  Buffer* found = buffers_.find(id);
  if (!found || !found->handle) return;
  drop_buffer(found->handle, found->bytes);
  buffers_.remove(id);
}

void DawnGpu::destroy(GpuBindGroup group) {
  auto id = static_cast<uint32_t>(group);
  BindGroup* found = groups_.find(id);
  if (!found || !found->handle) return;
  dawn_.BindGroupRelease(found->handle);
  groups_.remove(id);
}

// The buffer, if it has these bytes and they can be copied.
Result<Buffer*> DawnGpu::find(GpuBuffer buffer, int64_t offset, int64_t bytes, const char* what) {
  Buffer* found = buffers_.find(static_cast<uint32_t>(buffer));
  if (!found || !found->handle)
    return fail(Code::invalid_argument, "GPU", what, "a buffer",
                "handle " + std::to_string(static_cast<uint32_t>(buffer)));
  if (offset < 0 || bytes < 0 || offset % 4 || bytes % 4 || offset > found->bytes || bytes > found->bytes - offset)
    return fail(Code::invalid_argument, found->label, what, "multiples of 4 inside " + bytes_text(found->bytes),
                bytes_text(bytes) + " from " + std::to_string(offset));
  return found;
}

// Starts the compilation of one kernel on Dawn's worker threads.
Status DawnGpu::begin_compile(Compile& compile) {
  Pipeline& pipeline = compile.pipeline;
  pipeline.label = compile.shader.label;
  pipeline.bindings = wgsl_bindings(compile.shader.wgsl);
  WGPUShaderSourceWGSL source = WGPU_SHADER_SOURCE_WGSL_INIT;
  source.code = dawn_text(std::string_view(compile.shader.wgsl));
  WGPUShaderModuleDescriptor module = WGPU_SHADER_MODULE_DESCRIPTOR_INIT;
  module.nextInChain = &source.chain;
  module.label = dawn_text(std::string_view(pipeline.label));
  push_scopes();
  compile.module = dawn_.DeviceCreateShaderModule(d_.device, &module);

  std::vector<WGPUBindGroupLayoutEntry> entries;
  for (const WgslBinding& b : pipeline.bindings) {
    WGPUBindGroupLayoutEntry entry = WGPU_BIND_GROUP_LAYOUT_ENTRY_INIT;
    entry.binding = b.number;
    entry.visibility = WGPUShaderStage_Compute;
    entry.buffer.type = b.kind == WgslBinding::uniform     ? WGPUBufferBindingType_Uniform
                        : b.kind == WgslBinding::read_only ? WGPUBufferBindingType_ReadOnlyStorage
                                                           : WGPUBufferBindingType_Storage;
    entries.push_back(entry);
  }
  WGPUBindGroupLayoutDescriptor group = WGPU_BIND_GROUP_LAYOUT_DESCRIPTOR_INIT;
  group.label = module.label;
  group.entries = entries.data();
  group.entryCount = entries.size();
  pipeline.layout = dawn_.DeviceCreateBindGroupLayout(d_.device, &group);
  WGPUPipelineLayoutDescriptor layout = WGPU_PIPELINE_LAYOUT_DESCRIPTOR_INIT;
  layout.bindGroupLayouts = &pipeline.layout;
  layout.bindGroupLayoutCount = 1;
  WGPUPipelineLayout pipeline_layout = dawn_.DeviceCreatePipelineLayout(d_.device, &layout);
  Status made = pop_scopes(pipeline.label, "compiling the kernel");
  if (made) {
    WGPUComputePipelineDescriptor descriptor = WGPU_COMPUTE_PIPELINE_DESCRIPTOR_INIT;
    descriptor.label = module.label;
    descriptor.layout = pipeline_layout;
    descriptor.compute.module = compile.module;
    descriptor.compute.entryPoint = dawn_text(std::string_view("main"));
    WGPUCreateComputePipelineAsyncCallbackInfo callback = WGPU_CREATE_COMPUTE_PIPELINE_ASYNC_CALLBACK_INFO_INIT;
    callback.mode = WGPUCallbackMode_WaitAnyOnly;
    callback.userdata1 = &compile;
    callback.callback = [](WGPUCreatePipelineAsyncStatus, WGPUComputePipeline done, WGPUStringView message, void* to,
                           void*) {
      static_cast<Compile*>(to)->pipeline.handle = done;
      static_cast<Compile*>(to)->message = dawn_text(message);
    };
    compile.future = dawn_.DeviceCreateComputePipelineAsync(d_.device, &descriptor, callback);
  }
  dawn_.PipelineLayoutRelease(pipeline_layout);
  if (made || made.error().code == Code::device_lost) return made;
  Status detailed = compile_error(compile);
  if (!detailed) return detailed;
  Error error = std::move(made).error();
  if (error.code != Code::out_of_memory) error.code = Code::bad_shader;
  return fail(std::move(error));
}

// The first error message of the compiler with its line; ok if it has none.
Status DawnGpu::compile_error(Compile& compile) {
  struct Answer {
    std::string place, message;
    int errors = 0;
  } answer;
  WGPUCompilationInfoCallbackInfo callback = WGPU_COMPILATION_INFO_CALLBACK_INFO_INIT;
  callback.mode = WGPUCallbackMode_WaitAnyOnly;
  callback.userdata1 = &answer;
  callback.callback = [](WGPUCompilationInfoRequestStatus, const WGPUCompilationInfo* info, void* to, void*) {
    auto& out = *static_cast<Answer*>(to);
    for (size_t i = 0; info && i < info->messageCount; ++i) {
      const WGPUCompilationMessage& m = info->messages[i];
      if (m.type != WGPUCompilationMessageType_Error || out.errors++) continue;
      out.place = "line " + std::to_string(m.lineNum) + ", column " + std::to_string(m.linePos);
      out.message = dawn_text(m.message);
    }
  };
  WEFT_CHECK_OK(wait(dawn_.ShaderModuleGetCompilationInfo(compile.module, callback)));
  if (!answer.errors) return {};
  if (answer.errors > 1) answer.message += " (and " + std::to_string(answer.errors - 1) + " more)";
  return fail(Code::bad_shader, compile.shader.label, answer.place, "a valid kernel", one_line(answer.message));
}

void DawnGpu::drop(Pipeline& pipeline) {
  if (pipeline.handle) dawn_.ComputePipelineRelease(pipeline.handle);
  if (pipeline.layout) dawn_.BindGroupLayoutRelease(pipeline.layout);
}

Task<Result<std::vector<GpuPipeline>>> DawnGpu::create_pipelines(std::span<const GpuShader> shaders) {
  WEFT_CO_CHECK_OK(trouble_.take());
  Status status;
  std::vector<std::unique_ptr<Compile>> compiles;
  for (const GpuShader& shader : shaders) {
    compiles.push_back(std::make_unique<Compile>(Compile{.shader = shader}));
    status = begin_compile(*compiles.back());
    if (!status) break;
  }
  for (auto& compile : compiles) {
    if (!compile->future.id) continue;
    if (Status done = wait(compile->future); !done) {
      for (auto& c : compiles) (void)c.release();  // hung: their callbacks may still come
      co_return fail(std::move(done).error());
    }
    if (compile->pipeline.handle || !status) continue;
    status = trouble_.take();
    if (status)
      status = fail(Code::bad_shader, compile->shader.label, "compiling for the GPU", "a valid kernel",
                    one_line(compile->message));
  }
  std::vector<GpuPipeline> made;
  for (auto& compile : compiles) {
    if (compile->module) dawn_.ShaderModuleRelease(compile->module);
    if (status)
      made.push_back(GpuPipeline{pipelines_.add(std::move(compile->pipeline))});
    else
      drop(compile->pipeline);
  }
  if (!status) co_return fail(std::move(status).error());
  co_return made;
}

Result<GpuBindGroup> DawnGpu::create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) {
  WEFT_CHECK_OK(trouble_.take());
  Pipeline* p = pipelines_.find(static_cast<uint32_t>(pipeline));
  if (!p)
    return fail(Code::invalid_argument, "GPU", "making a bind group", "a pipeline",
                "handle " + std::to_string(static_cast<uint32_t>(pipeline)));
  auto wrong = [&](size_t binding, std::string expected, std::string found) {
    return fail(Code::invalid_argument, p->label, "binding " + std::to_string(binding), std::move(expected),
                std::move(found));
  };
  std::vector<WGPUBindGroupEntry> entries;
  for (const WgslBinding& b : p->bindings) {
    if (b.number >= ranges.size() || ranges[b.number].buffer == GpuBuffer::none)
      return wrong(b.number, "a range", "none");
    const GpuRange& range = ranges[b.number];
    Buffer* buffer = buffers_.find(static_cast<uint32_t>(range.buffer));
    if (!buffer) return wrong(b.number, "a buffer", "handle " + std::to_string(static_cast<uint32_t>(range.buffer)));
    bool uniform = b.kind == WgslBinding::uniform;
    int64_t alignment = uniform ? d_.uniform_alignment : d_.info.offset_alignment;
    if (range.offset < 0 || range.offset % alignment)
      return wrong(b.number, "an offset that is a multiple of " + std::to_string(alignment),
                   std::to_string(range.offset));
    if (range.bytes <= 0 || range.bytes % 4 || range.offset > buffer->bytes ||
        range.bytes > buffer->bytes - range.offset)
      return wrong(b.number, "a multiple of 4 above 0 inside " + bytes_text(buffer->bytes) + " of " + buffer->label,
                   bytes_text(range.bytes) + " from " + std::to_string(range.offset));
    int64_t most = uniform ? d_.max_uniform_bytes : d_.info.max_binding_bytes;
    if (range.bytes > most) return wrong(b.number, "at most " + bytes_text(most), bytes_text(range.bytes));
    WGPUBindGroupEntry entry = WGPU_BIND_GROUP_ENTRY_INIT;
    entry.binding = b.number;
    entry.buffer = buffer->handle;
    entry.offset = static_cast<uint64_t>(range.offset);
    entry.size = static_cast<uint64_t>(range.bytes);
    entries.push_back(entry);
  }
  for (size_t i = 0; i < ranges.size(); ++i)
    if (ranges[i].buffer != GpuBuffer::none &&
        std::ranges::find(p->bindings, i, &WgslBinding::number) == p->bindings.end())
      return wrong(i, "no range: the kernel declares no such binding", bytes_text(ranges[i].bytes));

  WGPUBindGroupDescriptor descriptor = WGPU_BIND_GROUP_DESCRIPTOR_INIT;
  descriptor.label = dawn_text(std::string_view(p->label));
  descriptor.layout = p->layout;
  descriptor.entries = entries.data();
  descriptor.entryCount = entries.size();
  push_scopes();
  WGPUBindGroup handle = dawn_.DeviceCreateBindGroup(d_.device, &descriptor);
  if (Status made = pop_scopes(p->label, "making a bind group"); !made) {
    dawn_.BindGroupRelease(handle);
    return fail(std::move(made).error());
  }
  return GpuBindGroup{groups_.add({handle})};
}

Status DawnGpu::write(GpuBuffer buffer, int64_t offset, std::span<const std::byte> bytes) {
  WEFT_CHECK_OK(trouble_.take());
  WEFT_TRY(Buffer * to, find(buffer, offset, static_cast<int64_t>(bytes.size()), "writing"));
  constexpr size_t kChunk = kMaxUnsent / 4;
  for (size_t done = 0; done < bytes.size();) {
    size_t n = std::min(kChunk, bytes.size() - done);
    if (unsent_ + static_cast<int64_t>(n) > kMaxUnsent) WEFT_CHECK_OK(wait_idle());
    dawn_.QueueWriteBuffer(queue_, to->handle, static_cast<uint64_t>(offset) + done, bytes.data() + done, n);
    unsent_ += static_cast<int64_t>(n);
    done += n;
  }
  return trouble_.take();
}

void DawnGpu::send(WGPUCommandEncoder encoder) {
  WGPUCommandBuffer commands = dawn_.CommandEncoderFinish(encoder, nullptr);
  dawn_.CommandEncoderRelease(encoder);
  dawn_.QueueSubmit(queue_, 1, &commands);
  dawn_.CommandBufferRelease(commands);
}

Status DawnGpu::submit(const GpuCommands& commands) {
  WEFT_CHECK_OK(trouble_.take());
  if (commands.empty()) return {};
  WGPUCommandEncoder encoder = dawn_.DeviceCreateCommandEncoder(d_.device, nullptr);
  if (Status recorded = record(commands, encoder); !recorded) {
    dawn_.CommandEncoderRelease(encoder);
    return recorded;
  }
  send(encoder);
  return trouble_.take();
}

Status DawnGpu::record(const GpuCommands& commands, WGPUCommandEncoder encoder) {
  auto unknown = [](const char* kind, uint32_t id) {
    return fail(Code::invalid_argument, "GPU", "a command", kind, "handle " + std::to_string(id));
  };
  WGPUComputePassEncoder pass = nullptr;
  uint32_t last_pipeline = 0, last_group = 0;
  auto end_pass = [&] {
    if (!pass) return;
    dawn_.ComputePassEncoderEnd(pass);
    dawn_.ComputePassEncoderRelease(pass);
    pass = nullptr;
  };
  auto begin_pass = [&](const WGPUPassTimestampWrites* times) {
    WGPUComputePassDescriptor descriptor = WGPU_COMPUTE_PASS_DESCRIPTOR_INIT;
    descriptor.timestampWrites = times;
    pass = dawn_.CommandEncoderBeginComputePass(encoder, &descriptor);
    last_pipeline = last_group = 0;
  };
  const uint32_t* w = commands.words().data();
  const uint32_t* end = w + commands.words().size();
  auto long_at = [&](int i) { return w[i] | uint64_t{w[i + 1]} << 32; };
  Status status;
  while (w < end && status) {
    switch (w[0]) {
      case GpuCommands::kDispatch: {
        if (!pass) begin_pass(nullptr);
        if (w[1] != last_pipeline) {
          Pipeline* pipeline = pipelines_.find(w[1]);
          if (!pipeline) {
            status = unknown("a pipeline", w[1]);
            break;
          }
          dawn_.ComputePassEncoderSetPipeline(pass, pipeline->handle);
          last_pipeline = w[1];
        }
        if (w[2] != last_group) {
          BindGroup* group = groups_.find(w[2]);
          if (!group || !group->handle) {
            status = unknown("a bind group", w[2]);
            break;
          }
          dawn_.ComputePassEncoderSetBindGroup(pass, 0, group->handle, 0, nullptr);
          last_group = w[2];
        }
        dawn_.ComputePassEncoderDispatchWorkgroups(pass, w[3], w[4], w[5]);
        w += 6;
        break;
      }
      case GpuCommands::kCopy: {
        end_pass();
        Buffer *from = buffers_.find(w[1]), *to = buffers_.find(w[2]);
        if (!from || !from->handle || !to || !to->handle) {
          status = unknown("two buffers", from && from->handle ? w[2] : w[1]);
          break;
        }
        dawn_.CommandEncoderCopyBufferToBuffer(encoder, from->handle, long_at(3), to->handle, long_at(5), long_at(7));
        w += 9;
        break;
      }
      case GpuCommands::kClear: {
        end_pass();
        Buffer* buffer = buffers_.find(w[1]);
        if (!buffer || !buffer->handle) {
          status = unknown("a buffer", w[1]);
          break;
        }
        dawn_.CommandEncoderClearBuffer(encoder, buffer->handle, long_at(2), long_at(4));
        w += 6;
        break;
      }
      default: {  // kTimedPass
        uint32_t index = w[1];
        w += 2;
        if (!d_.info.timestamps) break;
        if (index >= kMaxTimedPasses) {
          status = fail(Code::invalid_argument, "GPU", "the index of a timed pass",
                        "less than " + std::to_string(kMaxTimedPasses), std::to_string(index));
          break;
        }
        status = ensure_queries();
        if (!status) break;
        end_pass();
        WGPUPassTimestampWrites times = WGPU_PASS_TIMESTAMP_WRITES_INIT;
        times.querySet = queries_[index / kPassesPerSet];
        times.beginningOfPassWriteIndex = 2 * (index % kPassesPerSet);
        times.endOfPassWriteIndex = times.beginningOfPassWriteIndex + 1;
        begin_pass(&times);
      }
    }
  }
  end_pass();
  return status;
}

Status DawnGpu::ensure_queries() {
  if (resolved_) return {};
  push_scopes();
  for (WGPUQuerySet& set : queries_) {
    WGPUQuerySetDescriptor descriptor = WGPU_QUERY_SET_DESCRIPTOR_INIT;
    descriptor.type = WGPUQueryType_Timestamp;
    descriptor.count = kQueriesPerSet;
    if (!set) set = dawn_.DeviceCreateQuerySet(d_.device, &descriptor);
  }
  WEFT_CHECK_OK(pop_scopes("GPU", "making timestamp queries"));
  WEFT_TRY(resolved_, make_buffer(int64_t{16} * kMaxTimedPasses, WGPUBufferUsage_QueryResolve | WGPUBufferUsage_CopySrc,
                                  "timestamps"));
  return {};
}

Result<std::unique_ptr<ReadBack>> DawnGpu::take_staging(int64_t bytes) {
  size_t best = pool_.size();
  for (size_t i = 0; i < pool_.size(); ++i)
    if (pool_[i]->capacity >= bytes && (best == pool_.size() || pool_[i]->capacity < pool_[best]->capacity)) best = i;
  std::unique_ptr<ReadBack> out;
  if (best < pool_.size()) {
    std::swap(pool_[best], pool_.back());
    out = std::move(pool_.back());
    pool_.pop_back();
  } else {
    out = std::make_unique<ReadBack>();
    int64_t capacity = bytes > kMaxPooled ? bytes : std::max<int64_t>(std::bit_ceil(static_cast<uint64_t>(bytes)), 256);
    WEFT_TRY(out->handle, make_buffer(capacity, WGPUBufferUsage_MapRead | WGPUBufferUsage_CopyDst, "staging"));
    out->capacity = capacity;
  }
  out->bytes = bytes;
  return out;
}

void DawnGpu::begin_map(ReadBack& read) {
  WGPUBufferMapCallbackInfo callback = WGPU_BUFFER_MAP_CALLBACK_INFO_INIT;
  callback.mode = WGPUCallbackMode_WaitAnyOnly;
  callback.userdata1 = &read;
  callback.callback = [](WGPUMapAsyncStatus status, WGPUStringView message, void* to, void*) {
    auto& out = *static_cast<ReadBack*>(to);
    out.status = status;
    if (status != WGPUMapAsyncStatus_Success) out.message = dawn_text(message);
  };
  read.future = dawn_.BufferMapAsync(read.handle, WGPUMapMode_Read, 0, static_cast<size_t>(read.bytes), callback);
}

// Takes the bytes out and the staging buffer back, also after an error.
Status DawnGpu::end_map(std::unique_ptr<ReadBack> read, std::span<std::byte> out) {
  if (Status waited = wait(read->future); !waited) {
    (void)read.release();  // hung: its callback may still come
    return waited;
  }
  if (read->status != WGPUMapAsyncStatus_Success) {
    drop_buffer(read->handle, read->capacity);
    WEFT_CHECK_OK(trouble_.take());
    return fail(Code::internal, "GPU", "reading back", bytes_text(read->bytes), one_line(read->message));
  }
  const void* mapped = dawn_.BufferGetConstMappedRange(read->handle, 0, out.size());
  if (mapped) std::memcpy(out.data(), mapped, out.size());
  dawn_.BufferUnmap(read->handle);
  if (read->capacity > kMaxPooled)
    drop_buffer(read->handle, read->capacity);
  else
    pool_.push_back(std::move(read));
  if (!mapped) return fail(Code::internal, "GPU", "reading back", bytes_text(static_cast<int64_t>(out.size())), "none");
  return trouble_.take();
}

Result<GpuTicket> DawnGpu::begin_read(GpuBuffer buffer, int64_t offset, int64_t bytes) {
  WEFT_CHECK_OK(trouble_.take());
  WEFT_TRY(Buffer * from, find(buffer, offset, bytes, "reading"));
  if (bytes == 0) return fail(Code::invalid_argument, from->label, "reading", "at least 4 bytes", "0");
  WEFT_TRY(auto read, take_staging(bytes));
  WGPUCommandEncoder encoder = dawn_.DeviceCreateCommandEncoder(d_.device, nullptr);
  dawn_.CommandEncoderCopyBufferToBuffer(encoder, from->handle, static_cast<uint64_t>(offset), read->handle, 0,
                                         static_cast<uint64_t>(bytes));
  send(encoder);
  begin_map(*read);
  return GpuTicket{reads_.add(std::move(read))};
}

Task<Status> DawnGpu::end_read(GpuTicket ticket, std::span<std::byte> out) {
  auto id = static_cast<uint32_t>(ticket);
  auto* slot = reads_.find(id);
  if (!slot || !*slot)
    co_return fail(Code::invalid_argument, "GPU", "ending a read", "a ticket", "handle " + std::to_string(id));
  std::unique_ptr<ReadBack> read = std::move(*slot);
  reads_.remove(id);
  if (static_cast<int64_t>(out.size()) != read->bytes) {
    int64_t bytes = read->bytes;
    WEFT_CO_CHECK_OK(end_map(std::move(read), {}));
    co_return fail(Code::invalid_argument, "GPU", "ending a read", bytes_text(bytes),
                   bytes_text(static_cast<int64_t>(out.size())));
  }
  co_return end_map(std::move(read), out);
}

Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> DawnGpu::read_timestamps(uint32_t count) {
  WEFT_CO_CHECK_OK(trouble_.take());
  if (!d_.info.timestamps)
    co_return fail(Code::unsupported, "GPU", "timestamps", "the feature timestamp-query", "none");
  if (count > kMaxTimedPasses)
    co_return fail(Code::invalid_argument, "GPU", "timed passes", "at most " + std::to_string(kMaxTimedPasses),
                   std::to_string(count));
  std::vector<std::pair<uint64_t, uint64_t>> out(count);
  if (count == 0) co_return out;
  WEFT_CO_CHECK_OK(ensure_queries());
  static_assert(sizeof(out[0]) == 16);
  std::span<std::byte> bytes = std::as_writable_bytes(std::span(out));
  WEFT_CO_TRY(auto read, take_staging(static_cast<int64_t>(bytes.size())));
  WGPUCommandEncoder encoder = dawn_.DeviceCreateCommandEncoder(d_.device, nullptr);
  for (uint32_t first = 0, set = 0; first < count; first += kPassesPerSet, ++set)
    dawn_.CommandEncoderResolveQuerySet(encoder, queries_[set], 0, 2 * std::min(count - first, kPassesPerSet),
                                        resolved_, uint64_t{16} * first);
  dawn_.CommandEncoderCopyBufferToBuffer(encoder, resolved_, 0, read->handle, 0, bytes.size());
  send(encoder);
  begin_map(*read);
  WEFT_CO_CHECK_OK(end_map(std::move(read), bytes));
  co_return out;
}

void DawnGpu::lose() {
  trouble_.set_lost("lose() was called");
  dawn_.DeviceForceLoss(d_.device, WGPUDeviceLostReason_Unknown, dawn_text(std::string_view("lose() was called")));
}

}  // namespace

Task<Result<std::unique_ptr<Gpu>>> make_dawn_gpu(Host&, DawnOptions options) {
  WEFT_CO_TRY(DawnDevice device, open_dawn_device(options));
  co_return std::make_unique<DawnGpu>(std::move(device));
}

}  // namespace weft
