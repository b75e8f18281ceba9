// How many workgroups a kernel over independent items takes, within what one axis may have.
//
//   const Axis axis = axis_of(call, rows, 256);          // 256 items a workgroup, or a multiple
//   c.u32("kItems", axis.items);                         // the shader loops over as many, in steps of 256
//   grid = {axis.extent, Extent{}, Extent{}};
#pragma once

#include <algorithm>

#include "base/check.h"
#include "ops/gpu_kernel.h"

namespace weft {

inline constexpr int64_t kMaxWorkgroups = 65535;  // along an axis, on every device

inline int64_t div_round_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

struct Axis {
  Extent extent;
  int64_t items = 1;  // that a workgroup takes
};

// `size` items, `per` a workgroup and several times as many where the bound would not fit otherwise.
inline Axis axis_of(const GpuCall& call, const Dim& size, int64_t per) {
  const int64_t loops = std::max<int64_t>(1, div_round_up(div_round_up(call.bound(size), per), kMaxWorkgroups));
  return {{size.count, GpuCall::word(size), per * loops}, per * loops};
}

// Of an i32 input: the word of the step buffer where its port begins.
inline int64_t port_word(const GpuCall& call, size_t input) {
  CHECK(call.port_words[input] >= 0);
  return call.port_words[input];
}

}  // namespace weft
