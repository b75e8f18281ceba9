// Gpu on Dawn: life, waiting, buffers, bind groups.
#include <algorithm>

#include "gpu/dawn_gpu.h"

namespace weft::dawn {
namespace {

// No answer for so long is a hung GPU. One submit of an engine takes milliseconds to seconds; a software GPU computes
// a chunk of prefill of a large model for minutes.
constexpr uint64_t kPatience = 60'000'000'000, kSoftwarePatience = 900'000'000'000;  // ns

// write() keeps a copy until the GPU has it; so much may be waiting.
constexpr int64_t kMaxUnsent = int64_t{256} << 20;

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

}  // namespace

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

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
  WEFT_CO_CHECK_OK(check_buffer_size(d_.info, bytes, label));
  WEFT_CO_TRY(WGPUBuffer handle, make_buffer(bytes,
                                             WGPUBufferUsage_Storage | WGPUBufferUsage_Uniform |
                                                 WGPUBufferUsage_CopySrc | WGPUBufferUsage_CopyDst,
                                             label));
  co_return GpuBuffer{buffers_.add({{bytes, std::move(label)}, handle})};
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
  WEFT_CHECK_OK(check_part(found, buffer, offset, bytes, what));
  return found;
}

Result<GpuBindGroup> DawnGpu::create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) {
  WEFT_CHECK_OK(trouble_.take());
  Pipeline* p = pipelines_.find(static_cast<uint32_t>(pipeline));
  if (!p)
    return fail(Code::invalid_argument, "GPU", "making a bind group", "a pipeline",
                "handle " + std::to_string(static_cast<uint32_t>(pipeline)));
  auto find = [this](GpuBuffer b) { return buffers_.find(static_cast<uint32_t>(b)); };
  WEFT_CHECK_OK(check_ranges(p->label, p->bindings, ranges, d_.info, d_.uniforms, find));
  std::vector<WGPUBindGroupEntry> entries;
  for (const WgslBinding& b : p->bindings) {
    const GpuRange& range = ranges[b.number];
    WGPUBindGroupEntry entry = WGPU_BIND_GROUP_ENTRY_INIT;
    entry.binding = b.number;
    entry.buffer = find(range.buffer)->handle;
    entry.offset = static_cast<uint64_t>(range.offset);
    entry.size = static_cast<uint64_t>(range.bytes);
    entries.push_back(entry);
  }

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

void DawnGpu::lose() {
  trouble_.set_lost("lose() was called");
  dawn_.DeviceForceLoss(d_.device, WGPUDeviceLostReason_Unknown, dawn_text(std::string_view("lose() was called")));
}

}  // namespace weft::dawn

namespace weft {

Task<Result<std::unique_ptr<Gpu>>> open_gpu(Host&, GpuOptions options) {
  WEFT_CO_TRY(DawnDevice device, open_dawn_device(options));
  co_return std::make_unique<dawn::DawnGpu>(std::move(device));
}

}  // namespace weft
