// kv_write: rows of keys or values into the cells of a cache of f32, f16 or q8_0.
#include "ops/gpu_grid.h"

namespace weft {
namespace {

bool supports(const OpCall& call, const Caps&) {
  const ValueType& state = call.in[0];
  return call.in[1].dtype == DType::f32 && state.shape[1].symbol == kNoSymbol && state.shape[3].symbol == kNoSymbol &&
         (state.dtype == DType::f32 || state.dtype == DType::f16 || state.dtype == DType::q8_0);
}

GpuLowering lower(const GpuCall& call) {
  const ValueType& state = call.op.in[0];
  const Dim tokens = call.op.in[1].shape[0];
  const int64_t heads = state.shape[1].count, width = state.shape[3].count;
  const int64_t per_item = state.dtype == DType::q8_0 ? 32 : state.dtype == DType::f16 && width % 2 == 0 ? 2 : 1;
  const Axis axis = axis_of(call, {tokens.count * heads * width / per_item, tokens.symbol}, 64);
  Constants c;
  c.u32("kType", state.dtype == DType::f32 ? 0 : state.dtype == DType::f16 ? 1 : 2);
  c.u32("kD", width).u32("kRowItems", width / per_item).u32("kHeads", heads);
  c.dim("kT", tokens).dim("kN", state.shape[0]).dim("kS", state.shape[2]);
  c.u32("kSlots", port_word(call, 2)).u32("kCells", port_word(call, 3)).u32("kItems", axis.items);
  return {{}, {{"kv_write", c.text(), {out(0), in(1), step()}, {axis.extent, Extent{}, Extent{}}}}};
}

}  // namespace

extern const Kernel kGpuKvWrite{
    .name = "kv_write.gpu", .op = Op::kv_write, .device = Caps::Kind::webgpu, .supports = supports, .lower = lower};

}  // namespace weft
