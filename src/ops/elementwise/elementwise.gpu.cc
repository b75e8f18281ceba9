// Ops that take each element alone: add, mul, scale, softcap, activation, gated_activation.
#include "ops/gpu_grid.h"

namespace weft {
namespace {

bool all_f32(const OpCall& call, const Caps&) {
  return std::ranges::all_of(call.in, [](const ValueType& t) { return t.dtype == DType::f32; });
}

GpuLowering lower(const GpuCall& call) {
  const Attrs& attrs = call.op.attrs;
  const bool two = call.op.in.size() == 2;
  Dim size = GpuCall::rows(call.op.in[0].shape, 0);
  const bool vectors = size.count % 4 == 0;
  if (vectors) size.count /= 4;
  const Axis axis = axis_of(call, size, 256);
  Constants c;
  c.alias("Value", vectors ? "vec4<f32>" : "f32");
  const bool first = call.op.op == Op::scale || call.op.op == Op::add;
  const bool second = call.op.op == Op::softcap || call.op.op == Op::mul;
  c.u32("kOp", first ? 0 : second ? 1 : 2).u32("kActivation", static_cast<int64_t>(attrs.act));
  if (!two) c.f32("kScale", attrs.scale).f32("kCap", attrs.cap).f32("kInverseCap", attrs.cap > 0 ? 1 / attrs.cap : 0);
  c.dim("kSize", size).u32("kItems", axis.items);
  GpuDispatch dispatch{.shader = two ? "elementwise_two" : "elementwise_one", .constants = c.text()};
  dispatch.bindings = two ? std::vector{in(0), in(1), out(0), step()} : std::vector{in(0), out(0), step()};
  dispatch.grid = {axis.extent, Extent{}, Extent{}};
  return {{}, {dispatch}};
}

constexpr Kernel kernel(std::string_view name, Op op) {
  return {.name = name, .op = op, .device = Caps::Kind::webgpu, .supports = all_f32, .lower = lower};
}

}  // namespace

extern const Kernel kGpuAdd = kernel("add.gpu", Op::add);
extern const Kernel kGpuMul = kernel("mul.gpu", Op::mul);
extern const Kernel kGpuScale = kernel("scale.gpu", Op::scale);
extern const Kernel kGpuSoftcap = kernel("softcap.gpu", Op::softcap);
extern const Kernel kGpuActivation = kernel("activation.gpu", Op::activation);
extern const Kernel kGpuGatedActivation = kernel("gated_activation.gpu", Op::gated_activation);

}  // namespace weft
