#include "gpu/gpu_checks.h"

#include <algorithm>

namespace weft {

std::string bytes_text(int64_t bytes) { return std::to_string(bytes) + " bytes"; }

Status check_buffer_size(const GpuInfo& info, int64_t bytes, const std::string& label) {
  if (bytes <= 0 || bytes % 4 != 0)
    return fail(Code::invalid_argument, label, "the size of a buffer", "a multiple of 4 above 0", bytes_text(bytes));
  if (bytes > info.max_buffer_bytes)
    return fail(Code::out_of_memory, label, "the size of a buffer", "at most " + bytes_text(info.max_buffer_bytes),
                bytes_text(bytes));
  return {};
}

Status check_part(const GpuBufferFacts* buffer, GpuBuffer handle, int64_t offset, int64_t bytes, const char* what) {
  if (!buffer || buffer->bytes == 0)
    return fail(Code::invalid_argument, "GPU", what, "a buffer",
                "handle " + std::to_string(static_cast<uint32_t>(handle)));
  if (offset < 0 || bytes < 0 || offset % 4 || bytes % 4 || offset > buffer->bytes || bytes > buffer->bytes - offset)
    return fail(Code::invalid_argument, buffer->label, what, "multiples of 4 inside " + bytes_text(buffer->bytes),
                bytes_text(bytes) + " from " + std::to_string(offset));
  return {};
}

Status check_ranges(const std::string& label, std::span<const WgslBinding> bindings, std::span<const GpuRange> ranges,
                    const GpuInfo& info, const GpuUniformLimits& uniforms,
                    const std::function<const GpuBufferFacts*(GpuBuffer)>& find) {
  auto wrong = [&](size_t binding, std::string expected, std::string found) {
    return fail(Code::invalid_argument, label, "binding " + std::to_string(binding), std::move(expected),
                std::move(found));
  };
  for (const WgslBinding& b : bindings) {
    if (b.number >= ranges.size() || ranges[b.number].buffer == GpuBuffer::none)
      return wrong(b.number, "a range", "none");
    const GpuRange& range = ranges[b.number];
    const GpuBufferFacts* buffer = find(range.buffer);
    if (!buffer || buffer->bytes == 0)
      return wrong(b.number, "a buffer", "handle " + std::to_string(static_cast<uint32_t>(range.buffer)));
    const bool uniform = b.kind == WgslBinding::uniform;
    const int64_t alignment = uniform ? uniforms.alignment : info.offset_alignment;
    if (range.offset < 0 || range.offset % alignment)
      return wrong(b.number, "an offset that is a multiple of " + std::to_string(alignment),
                   std::to_string(range.offset));
    if (range.bytes <= 0 || range.bytes % 4 || range.offset > buffer->bytes ||
        range.bytes > buffer->bytes - range.offset)
      return wrong(b.number, "a multiple of 4 above 0 inside " + bytes_text(buffer->bytes) + " of " + buffer->label,
                   bytes_text(range.bytes) + " from " + std::to_string(range.offset));
    const int64_t most = uniform ? uniforms.max_bytes : info.max_binding_bytes;
    if (range.bytes > most) return wrong(b.number, "at most " + bytes_text(most), bytes_text(range.bytes));
  }
  for (size_t i = 0; i < ranges.size(); ++i)
    if (ranges[i].buffer != GpuBuffer::none && std::ranges::find(bindings, i, &WgslBinding::number) == bindings.end())
      return wrong(i, "no range: the kernel declares no such binding", bytes_text(ranges[i].bytes));
  return {};
}

}  // namespace weft
