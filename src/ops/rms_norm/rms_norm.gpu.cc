// rms_norm and add_rms_norm: a row to up to 256 threads, the sum of squares in f32 in a fixed order.
#include <bit>

#include "ops/gpu_grid.h"

namespace weft {
namespace {

const ValueType& weight_of(const OpCall& call) { return call.in.back(); }

bool supports(const OpCall& call, const Caps&) {
  const DType w = weight_of(call).dtype;
  return call.in[0].dtype == DType::f32 && call.in[0].shape.back().symbol == kNoSymbol &&
         (w == DType::f32 || w == DType::f16 || w == DType::bf16);
}

GpuLowering lower(const GpuCall& call) {
  const bool add = call.op.op == Op::add_rms_norm;
  const Shape& shape = call.op.in[0].shape;
  const int64_t width = shape.back().count;
  const Dim rows = GpuCall::rows(shape, 1);
  // About 4 elements a thread, so that short rows (the heads of a query) share a workgroup. On a CPU that plays GPU,
  // where barriers park threads, a row a thread.
  const bool software = call.caps.gpu.software;
  const int64_t threads = software ? 8 : 256;
  const auto lanes = software ? 1
                              : static_cast<int64_t>(std::bit_ceil(
                                    static_cast<uint64_t>(std::clamp<int64_t>(div_round_up(width, 4), 8, 256))));
  const Axis axis = axis_of(call, rows, threads / lanes);
  const DType w = weight_of(call.op).dtype;
  Constants c;
  c.u32("kC", width).dim("kRows", rows).u32("kThreads", threads).u32("kLanes", lanes).u32("kItems", axis.items);
  c.u32("kWeight", w == DType::f32 ? 0 : w == DType::f16 ? 1 : 2).f32("kEps", call.op.attrs.eps);
  GpuDispatch dispatch{.shader = add ? "add_rms_norm" : "rms_norm", .constants = c.text()};
  if (add) {
    dispatch.bindings = {in(0), in(1), in(2), out(0), out(1), step()};
  } else {
    dispatch.bindings = {in(0), in(1), out(0), step()};
  }
  dispatch.grid = {axis.extent, Extent{}, Extent{}};
  return {{}, {dispatch}};
}

}  // namespace

extern const Kernel kGpuRmsNorm{
    .name = "rms_norm.gpu", .op = Op::rms_norm, .device = Caps::Kind::webgpu, .supports = supports, .lower = lower};
extern const Kernel kGpuAddRmsNorm{.name = "add_rms_norm.gpu",
                                   .op = Op::add_rms_norm,
                                   .device = Caps::Kind::webgpu,
                                   .supports = supports,
                                   .lower = lower};

}  // namespace weft
