// Which kernels and tiles a large GPU gets for the products of real models, without a GPU.
#include <gtest/gtest.h>

#include <algorithm>

#include "ops/cases.h"
#include "ops/gpu_kernel.h"

namespace weft::test {
namespace {

// An H200 as Dawn describes it, natively or as Chrome grants it.
Caps h200(bool matrices) {
  Caps caps{.kind = Caps::Kind::webgpu};
  GpuInfo& gpu = caps.gpu;
  gpu.f16 = gpu.subgroup_matrix = matrices;
  gpu.subgroups = gpu.packed_dot = true;
  gpu.subgroup_min = gpu.subgroup_max = 32;
  if (matrices) gpu.matrices = {{16, 16, 16, false}, {16, 16, 16, true}};
  gpu.max_binding_bytes = int64_t{1} << 32;
  gpu.max_storage_buffers = 10;
  gpu.max_workgroup_bytes = matrices ? 49152 : 32768;
  gpu.max_workgroup_invocations = 1024;
  gpu.max_workgroups = 65535;
  return caps;
}

struct Lowered {
  std::string_view kernel;
  int64_t groups = 0;
};

// A case's product with T = tokens instead.
Lowered lowered(const Case& c, DType x, int64_t tokens, const Caps& caps) {
  constexpr SymbolId kT = 0;
  const Graph graph = case_graph(c);
  const Node& node = graph.nodes[0];
  std::vector<ValueType> in, out;
  for (ValueId v : node.inputs) in.push_back(v == kNoValue ? ValueType{} : graph.type(v));
  in[0].dtype = x;
  in[0].shape.dims[0] = {1, kT};
  out.push_back(graph.type(node.outputs[0]));
  const int64_t bounds[] = {tokens};
  const OpCall call{.op = c.op,
                    .attrs = node.attrs,
                    .in = in,
                    .out = out,
                    .layout = layout_for(in[1].dtype, c.in[1].shape, caps),
                    .tokens = tokens,
                    .weights = 2};
  const Kernel* kernel = choose_kernel(call, caps);
  if (!kernel) return {};
  const std::vector<int64_t> ports(in.size(), -1);
  Lowered result{.kernel = kernel->name};
  const int variants = kernel->variants ? kernel->variants({call, caps, bounds, ports}) : 1;
  for (int v = variants - 1; v >= 0; --v) {
    const GpuLowering lowering = kernel->lower({call, caps, bounds, ports, v});
    EXPECT_FALSE(lowering.dispatches.empty()) << kernel->name;
    result.groups = 0;
    for (const GpuDispatch& d : lowering.dispatches) {
      EXPECT_FALSE(specialised_wgsl(d.shader, d.constants).empty());
      int64_t groups = 1;
      for (const Extent& e : d.grid) {
        const int64_t extent = (e.count * (e.word == kT ? tokens : 1) + e.per - 1) / e.per;
        EXPECT_LE(extent, caps.gpu.max_workgroups) << c.name;
        groups *= extent;
      }
      result.groups += groups;
    }
  }
  return result;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (Op op : {Op::linear, Op::linear_add}) {
    for (const auto& list : {op_cases(op), large_cases(op)}) cases.insert(cases.end(), list.begin(), list.end());
  }
  return cases;
}

TEST(LinearOnGpu, ManyTokensUseTheBestUnits) {
  const Caps native = h200(true), browser = h200(false);
  for (const Case& c : all_cases()) {
    const DType w = c.in[1].dtype;
    const bool halves = is_block(w) || (w == DType::f16 && c.in[1].shape[1] % 4 == 0);
    const std::string op(op_name(c.op));
    EXPECT_EQ(lowered(c, DType::f32, 512, native).kernel, op + (halves ? ".matmul_subgroup_f16" : ".matmul_f32"));
    EXPECT_EQ(lowered(c, DType::f32, 512, browser).kernel, op + ".matmul_f32");
    if (is_block(w)) EXPECT_EQ(lowered(c, DType::i8_32, 512, browser).kernel, op + ".matmul_int8");
  }
}

TEST(LinearOnGpu, ProductsOfSmallModelsKeepALargeGpuBusy) {
  int64_t fewest = INT64_MAX;
  for (const Case& c : all_cases()) {
    if (c.in[1].shape[0] < 192 || c.in[1].shape[1] < 512) continue;
    for (const bool matrices : {true, false}) {
      const Lowered l = lowered(c, matrices ? DType::f32 : DType::i8_32, 512, h200(matrices));
      EXPECT_GE(l.groups, 96) << c.name << " by " << l.kernel;
      fewest = std::min(fewest, l.groups);
    }
  }
  EXPECT_LT(fewest, 200);  // there are small ones in the list
}

}  // namespace
}  // namespace weft::test
