// linear_recurrence: a thread a channel goes through the rows. The state is changed in place.
#include "ops/gpu_grid.h"

namespace weft {
namespace {

bool supports(const OpCall& call, const Caps&) {
  return call.in[0].dtype == DType::f32 && call.in[0].shape.back().symbol == kNoSymbol;
}

GpuLowering lower(const GpuCall& call) {
  const Dim width = call.op.in[1].shape[1];
  const Axis axis = axis_of(call, width, 64);
  Constants c;
  c.u32("kC", width.count).dim("kT", call.op.in[1].shape[0]).dim("kN", call.op.in[0].shape[0]);
  c.u32("kSlots", port_word(call, 3)).u32("kItems", axis.items);
  return {{},
          {{"linear_recurrence", c.text(), {out(1), in(1), in(2), out(0), step()}, {axis.extent, Extent{}, Extent{}}}}};
}

}  // namespace

extern const Kernel kGpuLinearRecurrence{.name = "linear_recurrence.gpu",
                                         .op = Op::linear_recurrence,
                                         .device = Caps::Kind::webgpu,
                                         .supports = supports,
                                         .lower = lower};

}  // namespace weft
