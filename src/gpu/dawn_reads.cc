// Gpu on Dawn: read-backs and timestamps.
#include <algorithm>
#include <bit>
#include <cstring>

#include "gpu/dawn_gpu.h"

namespace weft::dawn {
namespace {

// Staging buffers above this are not kept for later reads.
constexpr int64_t kMaxPooled = int64_t{16} << 20;

}  // namespace

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
  if (mapped && !out.empty()) std::memcpy(out.data(), mapped, out.size());
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

}  // namespace weft::dawn
