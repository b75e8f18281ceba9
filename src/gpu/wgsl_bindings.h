// The bindings of group 0 that a WGSL text declares, found without a compiler.
//
//   for (WgslBinding b : wgsl_bindings("@group(0) @binding(2) var<storage, read_write> out: array<f32>;")) …
//   // b.number == 2, b.kind == WgslBinding::storage
//
// Understood are `@group(0) @binding(N) var<storage[, read|read_write]>` and `var<uniform>` with N a decimal number and
// any white space or comments between the words: the form our kernels have.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace weft {

struct WgslBinding {
  enum Kind : uint8_t { uniform, read_only, storage };
  uint32_t number = 0;
  Kind kind = storage;
  bool operator==(const WgslBinding&) const = default;
};

// By number. Other declarations, also of other groups, are left out: the compiler then names what is missing.
std::vector<WgslBinding> wgsl_bindings(std::string_view wgsl);

}  // namespace weft
