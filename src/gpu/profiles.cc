#include "gpu/profiles.h"

#include <algorithm>

namespace weft {
namespace {

constexpr int64_t MiB = int64_t{1} << 20;

// The numbers that a browser hands out at most; an adapter that has less keeps what it has.
struct Ceiling {
  int64_t buffer, binding;
  uint32_t storage_buffers, workgroup_bytes, invocations, offset_alignment;
};

// The default limits of the WebGPU specification, section "Limits": every browser grants them.
constexpr Ceiling kMinimum = {256 * MiB, 128 * MiB, 8, 16384, 256, 256};

// Chromium sorts adapters into tiers against fingerprinting (Dawn, src/dawn/native/Limits.cpp): buffers of 256 MiB,
// 1, 2 and 4 GiB, bindings of 128 and 512 MiB, 1, 2 and 4 GiB less 4 bytes, 8 or 10 storage buffers, 16, 32, 48 and
// 64 KiB of workgroup memory, 256 or 1024 invocations. Desktop GPUs from 2016 on reach these:
constexpr Ceiling kChrome = {4096 * MiB, 2048 * MiB - 4, 10, 32768, 1024, 256};

// WebKit (Source/WebGPU/WebGPU/HardwareCapabilities.mm): the third part of Metal's longest buffer, at least 1 and at
// most 2 GiB on Macs, and one binding may be all of it; 4 buffers in each of 11 groups; 32 KiB, 1024 invocations.
// Alignment is 32 with Apple's GPUs and 256 with others.
constexpr Ceiling kSafari = {1024 * MiB, 1024 * MiB, 44, 32768, 1024, 256};

int64_t tier(int64_t value, std::initializer_list<int64_t> descending) {
  for (int64_t t : descending)
    if (value >= t) return t;
  return value;
}

void lower(GpuInfo& info, const Ceiling& top) {
  info.max_buffer_bytes = std::min(info.max_buffer_bytes, top.buffer);
  info.max_binding_bytes = std::min({info.max_binding_bytes, top.binding, info.max_buffer_bytes});
  info.max_storage_buffers = std::min(info.max_storage_buffers, top.storage_buffers);
  info.max_workgroup_bytes = std::min(info.max_workgroup_bytes, top.workgroup_bytes);
  info.max_workgroup_invocations = std::min(info.max_workgroup_invocations, top.invocations);
  info.offset_alignment = std::max(info.offset_alignment, top.offset_alignment);
  info.max_workgroups = std::min(info.max_workgroups, 65535u);
}

void drop_matrices(GpuInfo& info) {
  info.subgroup_matrix = info.immediates = false;  // immediates: no browser that we support by name documents them
  info.matrices.clear();
}

void drop_subgroups(GpuInfo& info) {
  info.subgroups = false;
  info.subgroup_min = info.subgroup_max = 0;
}

}  // namespace

std::optional<GpuProfile> gpu_profile_from_name(std::string_view name) {
  if (name == "full") return GpuProfile::full;
  if (name == "chrome") return GpuProfile::chrome;
  if (name == "safari") return GpuProfile::safari;
  if (name == "minimum") return GpuProfile::minimum;
  return std::nullopt;
}

GpuInfo apply_profile(GpuProfile profile, GpuInfo info) {
  switch (profile) {
    case GpuProfile::full:
      break;
    case GpuProfile::chrome:
      lower(info, kChrome);
      info.max_buffer_bytes = tier(info.max_buffer_bytes, {4096 * MiB, 2048 * MiB, 1024 * MiB, 256 * MiB});
      info.max_binding_bytes = tier(info.max_binding_bytes, {2048 * MiB - 4, 1024 * MiB, 512 * MiB, 128 * MiB});
      if (info.max_storage_buffers < 10) info.max_storage_buffers = 8;
      if (info.max_workgroup_bytes < 32768) info.max_workgroup_bytes = 16384;
      if (info.max_workgroup_invocations < 1024) info.max_workgroup_invocations = 256;
      // f16 is off on NVIDIA's Vulkan driver for its failing conformance tests; natively a toggle brings it back.
      if (info.vendor == "nvidia" && info.backend == "vulkan") info.f16 = false;
      drop_matrices(info);
      break;
    case GpuProfile::safari:
      // shader-f16 always, subgroups with Metal 3; no packed dot (MDN, WGSLLanguageFeatures).
      lower(info, kSafari);
      info.packed_dot = false;
      drop_matrices(info);
      break;
    case GpuProfile::minimum:
      lower(info, kMinimum);
      info.f16 = info.packed_dot = info.timestamps = false;
      drop_matrices(info);
      drop_subgroups(info);
      break;
  }
  return info;
}

}  // namespace weft
