// Each pass as text before and after, and what fused ops mean.
#include "passes/passes.h"

#include <algorithm>
#include <random>

#include "graph/builder.h"
#include "passes/rewrites.h"
#include "support/support.h"

namespace weft {
namespace {

const Caps kCpu{.kind = Caps::Kind::cpu, .name = "cpu baseline, 1 thread"};

// The lines of nodes alone.
std::string nodes_text(const Graph& graph) {
  std::string text = to_string(graph), kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin) + 1;
    if (text[begin] == '%') kept += text.substr(begin, end - begin);
    begin = end;
  }
  return kept;
}

Graph after(void (*pass)(Graph&, const Model&, const Target&), const Model& model, const Target& target = kCpu) {
  Graph graph = model.graphs[0];
  pass(graph, model, target);
  EXPECT_OK(verify(graph));
  return graph;
}

TEST(FuseGatedActivation, TakesActivationAndProduct) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId gate = g.input("gate", DType::f32, {g.T(), {4}}), up = g.input("up", DType::f32, {g.T(), {4}});
  g.output("y", g.name(g.mul(up, g.activation(gate, Activation::gelu_tanh)), "mlp.act"));
  ASSERT_OK(g.finish());
  EXPECT_EQ(nodes_text(model.graphs[0]),
            "%0 = activation(in:gate) {act=gelu_tanh} : f32[T, 4]\n"
            "%1 = mul(in:up, %0) : f32[T, 4]  # mlp.act\n");
  EXPECT_EQ(nodes_text(after(passes::fuse_gated_activation, model)),
            "%0 = gated_activation(in:gate, in:up) {act=gelu_tanh} : f32[T, 4]  # mlp.act\n");
}

TEST(FuseGatedActivation, LeavesAnActivationThatOthersRead) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {4}});
  const ValueId a = g.activation(x, Activation::silu);
  g.output("a", a);
  g.output("y", g.mul(a, x));
  ASSERT_OK(g.finish());
  EXPECT_EQ(nodes_text(after(passes::fuse_gated_activation, model)), nodes_text(model.graphs[0]));
}

TEST(FuseLinearAdd, TakesTheResidualOnEitherSide) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {4}}), w = g.weight("w", DType::f32, {4, 4});
  const ValueId a = g.name(g.add(x, g.linear(x, w)), "residual_attn");
  g.output("y", g.name(g.add(g.linear(a, w), a), "residual_mlp"));
  ASSERT_OK(g.finish());
  EXPECT_EQ(nodes_text(model.graphs[0]),
            "%0 = linear(in:x, w:w, -) : f32[T, 4]\n"
            "%1 = add(in:x, %0) : f32[T, 4]  # residual_attn\n"
            "%2 = linear(%1, w:w, -) : f32[T, 4]\n"
            "%3 = add(%2, %1) : f32[T, 4]  # residual_mlp\n");
  EXPECT_EQ(nodes_text(after(passes::fuse_linear_add, model)),
            "%0 = linear_add(in:x, w:w, -, in:x) : f32[T, 4]  # residual_attn\n"
            "%1 = linear_add(%0, w:w, -, %0) : f32[T, 4]  # residual_mlp\n");
}

TEST(FuseLinearAdd, AddOfOneProductToItselfStays) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId y = g.linear(g.input("x", DType::f32, {g.T(), {4}}), g.weight("w", DType::f32, {4, 4}));
  g.output("y", g.add(y, y));
  ASSERT_OK(g.finish());
  EXPECT_EQ(nodes_text(after(passes::fuse_linear_add, model)), nodes_text(model.graphs[0]));
}

TEST(FuseAddRmsNorm, KeepsTheSum) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId a = g.input("a", DType::f32, {g.T(), {4}}), b = g.input("b", DType::f32, {g.T(), {4}});
  const ValueId w = g.weight("w", DType::f32, {4});
  const ValueId sum = g.name(g.add(a, b), "residual_attn");
  const ValueId h = g.name(g.rms_norm(sum, w, 1e-6f), "norm");
  g.output("y", g.add(sum, g.activation(h, Activation::relu)));
  ASSERT_OK(g.finish());
  EXPECT_EQ(nodes_text(after(passes::fuse_add_rms_norm, model)),
            "%0, %1 = add_rms_norm(in:a, in:b, w:w) {eps=1e-06} : f32[T, 4], f32[T, 4]  # residual_attn, norm\n"
            "%2 = activation(%1) {act=relu} : f32[T, 4]\n"
            "%3 = add(%0, %2) : f32[T, 4]\n");
}

TEST(QuantizeActivations, SharesOneQuantisedValue) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {64}});
  const ValueId q = g.linear(x, g.weight("q", DType::q8_0, {32, 64}));
  const ValueId k = g.linear(x, g.weight("k", DType::q4_0, {32, 64}));
  const ValueId f = g.linear(x, g.weight("f", DType::f32, {32, 64}));
  g.output("y", g.add(g.add(q, k), f));
  ASSERT_OK(g.finish());
  EXPECT_EQ(nodes_text(after(passes::quantize_activations, model)),
            "%0 = quantize_rows(in:x) : i8_32[T, 64]\n"
            "%1 = linear(%0, w:q, -) : f32[T, 32]\n"
            "%2 = linear(%0, w:k, -) : f32[T, 32]\n"
            "%3 = linear(in:x, w:f, -) : f32[T, 32]\n"
            "%4 = add(%1, %2) : f32[T, 32]\n"
            "%5 = add(%4, %3) : f32[T, 32]\n");
}

// Where matrix units take floats, rows of many tokens are not quantised.
TEST(QuantizeActivations, NotForAKernelThatIsWorse) {
  Model model;
  GraphBuilder g(model, "g");
  g.output("y", g.linear(g.input("x", DType::f32, {g.T(), {64}}), g.weight("q", DType::q4_0, {32, 64})));
  ASSERT_OK(g.finish());
  Caps caps{.kind = Caps::Kind::webgpu};
  caps.gpu.f16 = caps.gpu.subgroups = caps.gpu.packed_dot = true;
  caps.gpu.subgroup_min = caps.gpu.subgroup_max = 32;
  caps.gpu.max_binding_bytes = 1 << 30;
  caps.gpu.max_workgroup_bytes = 49152;
  caps.gpu.max_workgroup_invocations = 1024;
  caps.gpu.max_workgroups = 65535;
  const std::string quantized =
      "%0 = quantize_rows(in:x) : i8_32[T, 64]\n"
      "%1 = linear(%0, w:q, -) : f32[T, 32]\n";
  EXPECT_EQ(nodes_text(after(passes::quantize_activations, model, {caps, 512})), quantized);
  caps.gpu.subgroup_matrix = true;
  caps.gpu.matrices = {{16, 16, 16, true}};
  EXPECT_EQ(nodes_text(after(passes::quantize_activations, model, {caps, 512})),
            "%0 = linear(in:x, w:q, -) : f32[T, 32]\n");
}

TEST(DropDead, KeepsOutputsAndStateWrites) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {4}}), slots = g.input("slots", DType::i32, {g.T()});
  g.name(g.rms_norm(g.scale(x, 2), g.weight("unused", DType::f32, {4}), 0), "nobody");
  g.linear_recurrence(g.state("h", DType::f32, {g.symbol("N"), {4}}, Rollback::snapshot), x, x, slots);
  g.output("y", g.scale(x, 3));
  ASSERT_OK(g.finish());
  const Graph graph = after(passes::drop_dead, model);
  EXPECT_EQ(nodes_text(graph),
            "%0, %1 = linear_recurrence(s:h, in:x, in:x, in:slots) : f32[T, 4], f32[N, 4]\n"
            "%2 = scale(in:x) {scale=3} : f32[T, 4]\n");
  EXPECT_EQ(graph.find_value("unused"), kNoValue);
}

TEST(RunPasses, ReportsEachAndCanDisableByName) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {4}}), w = g.weight("w", DType::f32, {4, 4});
  g.output("y", g.add(x, g.linear(g.mul(g.activation(x, Activation::silu), x), w)));
  ASSERT_OK(g.finish());
  std::vector<PassReport> report;
  ASSERT_OK_AND(const Graph all, run_passes(model.graphs[0], model, kCpu, {}, &report));
  EXPECT_EQ(all.nodes.size(), 2u);
  const auto applies = [](const Pass& pass) { return !pass.applies || pass.applies(kCpu); };
  ASSERT_EQ(static_cast<int64_t>(report.size()), std::ranges::count_if(all_passes(), applies));
  EXPECT_EQ(report[0].nodes_before, 4);
  EXPECT_EQ(report[0].nodes_after, 3);
  const std::string one[] = {"fuse_linear_add"}, none[] = {"*"}, wrong[] = {"fuse_everything"};
  ASSERT_OK_AND(const Graph some, run_passes(model.graphs[0], model, kCpu, one));
  EXPECT_EQ(some.nodes.size(), 3u);
  ASSERT_OK_AND(const Graph same, run_passes(model.graphs[0], model, kCpu, none));
  EXPECT_EQ(to_string(same), to_string(model.graphs[0]));
  EXPECT_ERROR(Code::invalid_argument, run_passes(model.graphs[0], model, kCpu, wrong));
}

// The fused reference and the expansion in simpler ops agree through the interpreter, on random inputs.
class Expand : public testing::TestWithParam<Op> {};

TEST_P(Expand, MeansTheFusedOp) {
  constexpr int64_t kRows = 5, kWidth = 32;
  Model model;
  Graph graph{.name = "fused", .symbols = {"T"}};
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  std::normal_distribution<float> normal;
  auto tensor = [&](std::vector<int64_t> shape) {
    HostTensor t{.shape = std::move(shape)};
    for (int64_t i = t.elements(); i > 0; --i) t.f32.push_back(normal(random));
    return t;
  };
  std::map<std::string, HostTensor> inputs;
  auto input = [&](const char* name, Shape shape, std::vector<int64_t> sizes) {
    const auto v = static_cast<ValueId>(graph.values.size());
    graph.values.push_back({{DType::f32, shape}, ValueKind::input, name, static_cast<int32_t>(graph.inputs.size())});
    graph.inputs.push_back({name, v});
    inputs[name] = tensor(std::move(sizes));
    return v;
  };
  const Shape rows{Dim{1, 0}, {kWidth}};
  const ValueId a = input("a", rows, {kRows, kWidth}), b = input("b", rows, {kRows, kWidth});
  const ValueId vector = input("vector", {{kWidth}}, {kWidth});
  const ValueId matrix = input("matrix", {{kWidth}, {kWidth}}, {kWidth, kWidth});
  Node node{GetParam(), {}, {}, {}};
  switch (GetParam()) {
    case Op::gated_activation:
      node.inputs = {a, b}, node.attrs.act = Activation::gelu;
      break;
    case Op::linear_add:
      node.inputs = {a, matrix, vector, b};
      break;
    case Op::add_rms_norm:
      node.inputs = {a, b, vector}, node.attrs.eps = 1e-5f;
      break;
    default:
      FAIL();
  }
  std::vector<ValueType> types;
  ASSERT_OK(infer_types(graph, node, types));
  for (size_t i = 0; i < types.size(); ++i) {
    node.outputs.push_back(static_cast<ValueId>(graph.values.size()));
    graph.values.push_back({types[i], ValueKind::result, {}, 0});
    graph.outputs.push_back({"y" + std::to_string(i), node.outputs.back()});
  }
  graph.nodes.push_back(node);
  Graph expanded = graph;
  ASSERT_TRUE(expand(expanded, 0));
  EXPECT_EQ(expanded.nodes.size(), 2u);
  EXPECT_FALSE(expand(expanded, 0));

  Interpreter interpreter(model, reference_table(), {});
  ASSERT_OK_AND(const auto fused, interpreter.run(graph, inputs));
  ASSERT_OK_AND(const auto simple, interpreter.run(expanded, inputs));
  ASSERT_EQ(fused.size(), types.size());
  for (const auto& [name, t] : fused) {
    for (size_t i = 0; i < t.f32.size(); ++i) EXPECT_NEAR(t.f32[i], simple.at(name).f32[i], 1e-5) << name << " " << i;
  }
}
INSTANTIATE_TEST_SUITE_P(Fused, Expand, testing::Values(Op::gated_activation, Op::linear_add, Op::add_rms_norm));

}  // namespace
}  // namespace weft
