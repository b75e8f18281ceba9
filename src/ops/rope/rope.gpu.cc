// rope: a thread a pair; angles by integer arithmetic (angle.wgsl).
#include "ops/gpu_grid.h"

namespace weft {
namespace {

bool supports(const OpCall& call, const Caps&) {
  return call.in[0].dtype == DType::f32 && call.in[0].shape[1].symbol == kNoSymbol;
}

GpuLowering lower(const GpuCall& call) {
  const Shape& x = call.op.in[0].shape;
  const int64_t heads = x[1].count, width = x[2].count, pairs = call.op.in[2].shape[0].count;
  const auto& sections = call.op.attrs.sections;
  const int64_t axes = call.op.in[1].shape[1].count;
  const bool by_axis = axes == 3 && (sections[0] | sections[1] | sections[2]) != 0;
  const Axis axis = axis_of(call, {x[0].count * heads * (width - pairs), x[0].symbol}, 64);
  Constants c;
  c.u32("kD", width).u32("kPairs", pairs).u32("kHeads", heads).dim("kT", x[0]);
  c.u32("kPositions", port_word(call, 1)).u32("kAxes", axes);
  c.u32("kAxis1", by_axis ? sections[0] : pairs).u32("kAxis2", by_axis ? sections[0] + sections[1] : pairs);
  c.f32("kScale", call.op.attrs.scale).u32("kItems", axis.items);
  return {{}, {{"rope", c.text(), {in(0), in(2), out(0), step()}, {axis.extent, Extent{}, Extent{}}}}};
}

}  // namespace

extern const Kernel kGpuRope{
    .name = "rope.gpu", .op = Op::rope, .device = Caps::Kind::webgpu, .supports = supports, .lower = lower};

}  // namespace weft
