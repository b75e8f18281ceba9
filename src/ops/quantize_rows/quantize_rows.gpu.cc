#include "ops/gpu_grid.h"

namespace weft {
namespace {

bool supports(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::f32; }

GpuLowering lower(const GpuCall& call) {
  const Shape& x = call.op.in[0].shape;
  const int64_t blocks = x[1].count / 32;
  const Axis axis = axis_of(call, {x[0].count * blocks, x[0].symbol}, 64);
  Constants c;
  c.u32("kBlocks", blocks).dim("kRows", x[0]).u32("kItems", axis.items);
  return {{}, {{"quantize_rows", c.text(), {in(0), out(0), step()}, {axis.extent, Extent{}, Extent{}}}}};
}

}  // namespace

extern const Kernel kGpuQuantizeRows{.name = "quantize_rows.gpu",
                                     .op = Op::quantize_rows,
                                     .device = Caps::Kind::webgpu,
                                     .supports = supports,
                                     .lower = lower};

}  // namespace weft
