// What `linear` and `linear_add` have in common: operands, results and how work is cut into items.
#pragma once

#include <algorithm>

#include "ops/kernel.h"

namespace weft {

// An item is 16 rows of the weight times a stretch of at most this many tokens, whose quantised activations (40 KB at
// K = 1024) stay in the second-level cache while the groups of rows pass by.
inline constexpr int64_t kTokenStretch = 64;

struct LinearArgs {
  const TensorRef &x, &weight;
  const TensorRef* bias;      // nullptr: none
  const TensorRef* residual;  // nullptr: none
  int64_t tokens, n, k, groups;
  float* y;

  explicit LinearArgs(const CpuCall& call)
      : x(call.in[0]),
        weight(call.in[1]),
        bias(call.in.size() > 2 && call.in[2].data ? &call.in[2] : nullptr),
        residual(call.in.size() > 3 ? &call.in[3] : nullptr),
        tokens(x.dim[0]),
        n(weight.dim[0]),
        k(weight.dim[1]),
        groups((n + 15) / 16),
        y(call.out[0].as<float>()) {}
};

inline int64_t linear_items(const CpuCall& call) {
  const LinearArgs args(call);
  return args.groups * ((args.tokens + kTokenStretch - 1) / kTokenStretch);
}

// All groups of one stretch of tokens come before the next stretch.
struct LinearItem {
  int64_t group, token_begin, token_end;
  LinearItem(const LinearArgs& args, int64_t item)
      : group(item % args.groups),
        token_begin(item / args.groups * kTokenStretch),
        token_end(std::min(args.tokens, token_begin + kTokenStretch)) {}
};

inline bool is_linear_with(const OpCall& call, DType x) {
  return (call.op == Op::linear || call.op == Op::linear_add) && call.in[0].dtype == x;
}

}  // namespace weft
