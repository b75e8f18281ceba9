// Gpu of a browser: what is submitted, and what comes back. Every token passes here.
#include "gpu/web_gpu.h"
#include "gpu/web_imports.h"

namespace weft::web {

Status WebGpu::write(GpuBuffer buffer, int64_t offset, std::span<const std::byte> bytes) {
  WEFT_CHECK_OK(trouble_.take());
  const auto id = static_cast<uint32_t>(buffer);
  WEFT_CHECK_OK(check_part(buffers_.find(id), buffer, offset, static_cast<int64_t>(bytes.size()), "writing"));
  if (bytes.empty()) return {};
  weft_gpu_write(number_, id, static_cast<double>(offset), bytes.data(), bytes.size());
  return trouble_.take();
}

// JavaScript knows only places of handles, not whether what is there is what was meant.
Status WebGpu::check(std::span<const uint32_t> words) {
  auto unknown = [](const char* kind, uint32_t id) {
    return fail(Code::invalid_argument, "GPU", "a command", kind, "handle " + std::to_string(id));
  };
  auto buffer = [this](uint32_t id) {
    const GpuBufferFacts* found = buffers_.find(id);
    return found && found->bytes > 0;
  };
  const uint32_t* end = words.data() + words.size();
  uint32_t last_pipeline = 0;
  for (const uint32_t* w = words.data(); w < end;) {
    switch (w[0]) {
      case GpuCommands::kDispatch:
        if (w[1] != last_pipeline || !last_pipeline) {
          const Pipeline* pipeline = pipelines_.find(w[1]);
          if (!pipeline || !pipeline->given) return unknown("a pipeline", w[1]);
          last_pipeline = w[1];
        }
        if (const BindGroup* group = groups_.find(w[2]); !group || !group->given) return unknown("a bind group", w[2]);
        w += 6;
        break;
      case GpuCommands::kCopy:
        if (!buffer(w[1]) || !buffer(w[2])) return unknown("two buffers", buffer(w[1]) ? w[2] : w[1]);
        w += 9;
        break;
      case GpuCommands::kClear:
        if (!buffer(w[1])) return unknown("a buffer", w[1]);
        w += 6;
        break;
      default:  // kTimedPass
        if (info_.timestamps && w[1] >= kMaxTimedPasses)
          return fail(Code::invalid_argument, "GPU", "the index of a timed pass",
                      "less than " + std::to_string(kMaxTimedPasses), std::to_string(w[1]));
        w += 2;
    }
  }
  return {};
}

Status WebGpu::submit(const GpuCommands& commands) {
  WEFT_CHECK_OK(trouble_.take());
  if (commands.empty()) return {};
  WEFT_CHECK_OK(check(commands.words()));
  weft_gpu_submit(number_, commands.words().data(), commands.words().size());
  return trouble_.take();
}

Task<Status> WebGpu::finish() {
  WEFT_CO_CHECK_OK(trouble_.take());
  Pending done;
  weft_gpu_finish(number_, done.number());
  co_return co_await answered(done, "GPU", "waiting for its work");
}

Result<GpuTicket> WebGpu::begin_read(GpuBuffer buffer, int64_t offset, int64_t bytes) {
  WEFT_CHECK_OK(trouble_.take());
  const auto id = static_cast<uint32_t>(buffer);
  const GpuBufferFacts* from = buffers_.find(id);
  WEFT_CHECK_OK(check_part(from, buffer, offset, bytes, "reading"));
  if (bytes == 0) return fail(Code::invalid_argument, from->label, "reading", "at least 4 bytes", "0");
  const uint32_t ticket = reads_.add({bytes});
  weft_gpu_begin_read(number_, ticket, id, static_cast<double>(offset), static_cast<double>(bytes));
  return GpuTicket{ticket};
}

Task<Status> WebGpu::end_read(GpuTicket ticket, std::span<std::byte> out) {
  const auto id = static_cast<uint32_t>(ticket);
  const ReadBack* read = reads_.find(id);
  if (!read || read->bytes == 0)
    co_return fail(Code::invalid_argument, "GPU", "ending a read", "a ticket", "handle " + std::to_string(id));
  const int64_t bytes = read->bytes;
  if (static_cast<int64_t>(out.size()) == bytes) co_return co_await take(id, out);
  WEFT_CO_CHECK_OK(co_await take(id, {}));
  co_return fail(Code::invalid_argument, "GPU", "ending a read", bytes_text(bytes),
                 bytes_text(static_cast<int64_t>(out.size())));
}

// The ticket is over in any case.
Task<Status> WebGpu::take(uint32_t ticket, std::span<std::byte> out) {
  Undo drop([&] {
    weft_gpu_take_read(number_, ticket, nullptr, 0);
    reads_.remove(ticket);
  });
  Pending mapped;
  if (!weft_gpu_await_read(number_, mapped.number(), ticket))
    WEFT_CO_CHECK_OK(co_await answered(mapped, "GPU", "reading back"));
  WEFT_CO_CHECK_OK(trouble_.take());
  drop.keep();
  weft_gpu_take_read(number_, ticket, out.data(), out.size());
  reads_.remove(ticket);
  co_return trouble_.take();
}

Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> WebGpu::read_timestamps(uint32_t count) {
  WEFT_CO_CHECK_OK(trouble_.take());
  if (!info_.timestamps) co_return fail(Code::unsupported, "GPU", "timestamps", "the feature timestamp-query", "none");
  if (count > kMaxTimedPasses)
    co_return fail(Code::invalid_argument, "GPU", "timed passes", "at most " + std::to_string(kMaxTimedPasses),
                   std::to_string(count));
  std::vector<std::pair<uint64_t, uint64_t>> out(count);
  if (count == 0) co_return out;
  static_assert(sizeof(out[0]) == 16);
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(out));
  const uint32_t ticket = reads_.add({static_cast<int64_t>(bytes.size())});
  weft_gpu_begin_timestamps(number_, ticket, count);
  WEFT_CO_CHECK_OK(co_await take(ticket, bytes));
  co_return out;
}

}  // namespace weft::web
