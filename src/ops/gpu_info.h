// What a GPU is and grants: part of the caps that kernels are chosen by.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weft {

// What the adapter is and grants; numbers as WebGPU names them.
struct GpuInfo {
  std::string name, vendor, architecture, backend, driver;  // "NVIDIA H200", "nvidia", "hopper", "vulkan", …
  bool software = false;                                    // WebGPU's "CPU" adapter type: lavapipe, SwiftShader
  bool f16 = false, subgroups = false, subgroup_matrix = false, packed_dot = false, immediates = false,
       timestamps = false;
  uint32_t subgroup_min = 0, subgroup_max = 0;
  // Shapes of subgroup matrices with f16 factors: M, N, K and whether the sum is f32 (else f16).
  struct MatrixShape {
    uint32_t m = 0, n = 0, k = 0;
    bool f32_sum = false;
  };
  std::vector<MatrixShape> matrices;
  int64_t max_buffer_bytes = 0, max_binding_bytes = 0;  // bytes of a buffer, of one storage binding
  uint32_t max_storage_buffers = 0;                     // bindings of one stage
  uint32_t max_workgroup_bytes = 0, max_workgroup_invocations = 0, max_workgroups = 0;
  uint32_t offset_alignment = 256;  // of storage bindings
};

}  // namespace weft
