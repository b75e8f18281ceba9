#include "ops/gpu_grid.h"

namespace weft {
namespace {

bool supports(const OpCall& call, const Caps&) {
  return call.in[0].dtype == DType::f32 && call.in[0].shape.back().symbol == kNoSymbol;
}

GpuLowering lower(const GpuCall& call) {
  const Shape& y = call.op.out[0].shape;
  const bool vectors = y[1].count % 4 == 0;
  const int64_t width = vectors ? y[1].count / 4 : y[1].count;
  const Axis axis = axis_of(call, {y[0].count * width, y[0].symbol}, 256);
  Constants c;
  c.alias("Value", vectors ? "vec4<f32>" : "f32").u32("kC", width);
  c.dim("kT", call.op.in[0].shape[0]).dim("kR", y[0]).u32("kIndex", port_word(call, 1)).u32("kItems", axis.items);
  return {{}, {{"gather_rows", c.text(), {in(0), out(0), step()}, {axis.extent, Extent{}, Extent{}}}}};
}

}  // namespace

extern const Kernel kGpuGatherRows{.name = "gather_rows.gpu",
                                   .op = Op::gather_rows,
                                   .device = Caps::Kind::webgpu,
                                   .supports = supports,
                                   .lower = lower};

}  // namespace weft
