// What each implementation of gpu.h refuses by itself, before a GPU sees it. All errors are invalid_argument with the
// name of the thing, unless stated.
#pragma once

#include <functional>
#include <string>

#include "gpu/gpu.h"
#include "gpu/wgsl_bindings.h"

namespace weft {

// What is known of a buffer without asking the GPU. 0 bytes: there is none.
struct GpuBufferFacts {
  int64_t bytes = 0;
  std::string label;
};

// What bindings of uniforms are held to; storage bindings to GpuInfo.
struct GpuUniformLimits {
  uint32_t alignment = 256;
  int64_t max_bytes = 0;
};

std::string bytes_text(int64_t bytes);  // "N bytes"

// The size of a buffer to make; out_of_memory if it is above the limit.
Status check_buffer_size(const GpuInfo& info, int64_t bytes, const std::string& label);

// A part of a buffer (null: unknown) that is copied from or to. `what` is being done, for the message.
Status check_part(const GpuBufferFacts* buffer, GpuBuffer handle, int64_t offset, int64_t bytes, const char* what);

// Ranges for the bindings that a kernel declares: each has one, and no others.
Status check_ranges(const std::string& label, std::span<const WgslBinding> bindings, std::span<const GpuRange> ranges,
                    const GpuInfo& info, const GpuUniformLimits& uniforms,
                    const std::function<const GpuBufferFacts*(GpuBuffer)>& find);

}  // namespace weft
