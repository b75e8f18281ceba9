#include <cmath>
#include <functional>
#include <random>

#include "graph/builder.h"
#include "support/support.h"

namespace weft {
namespace {

constexpr int64_t C = 8, D = 4;

// One attention layer of width 8: two query heads, one key head.
Status build(Model& model, const std::string& name = "decode") {
  GraphBuilder g(model, name);
  const ValueId ids = g.input("ids", DType::i32, {g.T()});
  const ValueId positions = g.input("positions", DType::i32, {g.T(), {1}});
  const ValueId slots = g.input("slots", DType::i32, {g.T()});
  const ValueId cells = g.input("cells", DType::i32, {g.T()});
  const ValueId rows = g.input("rows", DType::i32, {g.R()});
  const ValueId table = g.weight("embed.weight", DType::f16, {10, C});
  const ValueId x = g.name(g.embedding(ids, table), "embed");
  const ValueId h = g.rms_norm(x, g.weight("norm.weight", DType::f32, {C}), 1e-5f);
  const ValueId freq = g.constant("inv_freq", {D / 2}, {1, 0.1f});
  ValueId q = g.view(g.linear(h, g.weight("q.weight", DType::f32, {2 * D, C})), {g.T(), {2}, {D}});
  ValueId k = g.view(g.linear(h, g.weight("k.weight", DType::f32, {D, C}), g.weight("k.bias", DType::f32, {D})),
                     {g.T(), {1}, {D}});
  q = g.rope(q, positions, freq);
  k = g.rope(k, positions, freq);
  const ValueId state = g.state("cache", DType::f16, {g.symbol("N"), {1}, g.symbol("S"), {D}}, Rollback::truncate);
  const ValueId written = g.kv_write(state, k, slots, cells);
  const ValueId y = g.attention(q, written, written, slots, cells, {.scale = 0.5f, .window = 3});
  const ValueId sum = g.add(x, g.view(y, {g.T(), {C}}));
  g.output("logits", g.name(g.linear(g.gather_rows(sum, rows), table), "logits"));
  return g.finish();
}

TEST(Graph, TextFormIsStable) {
  Model model;
  ASSERT_OK(build(model));
  EXPECT_EQ(to_string(model.graphs[0]),
            "graph decode\n"
            "input ids : i32[T]\n"
            "input positions : i32[T, 1]\n"
            "input slots : i32[T]\n"
            "input cells : i32[T]\n"
            "input rows : i32[R]\n"
            "state cache : f16[N, 1, S, 4]\n"
            "%0 = embedding(in:ids, w:embed.weight) : f32[T, 8]  # embed\n"
            "%1 = rms_norm(%0, w:norm.weight) {eps=1e-05} : f32[T, 8]\n"
            "%2 = linear(%1, w:q.weight, -) : f32[T, 8]\n"
            "%3 = view(%2) : f32[T, 2, 4]\n"
            "%4 = linear(%1, w:k.weight, w:k.bias) : f32[T, 4]\n"
            "%5 = view(%4) : f32[T, 1, 4]\n"
            "%6 = rope(%3, in:positions, c:inv_freq) : f32[T, 2, 4]\n"
            "%7 = rope(%5, in:positions, c:inv_freq) : f32[T, 1, 4]\n"
            "%8 = kv_write(s:cache, %7, in:slots, in:cells) : f16[N, 1, S, 4]\n"
            "%9 = attention(%6, %8, %8, in:slots, in:cells) {scale=0.5, window=3} : f32[T, 2, 4]\n"
            "%10 = view(%9) : f32[T, 8]\n"
            "%11 = add(%0, %10) : f32[T, 8]\n"
            "%12 = gather_rows(%11, in:rows) : f32[R, 8]\n"
            "%13 = linear(%12, w:embed.weight, -) : f32[R, 10]  # logits\n"
            "output logits = %13\n");
}

TEST(Graph, GraphsOfAModelShareWeightsConstantsAndStates) {
  Model model;
  ASSERT_OK(build(model));
  ASSERT_OK(build(model, "again"));
  EXPECT_EQ(model.weights.size(), 5u);  // the embedding once though it is used twice
  EXPECT_EQ(model.constants.size(), 1u);
  EXPECT_EQ(model.states.size(), 1u);
  EXPECT_EQ(model.state_symbols, (std::vector<std::string>{"N", "S"}));
  EXPECT_EQ(model.state_bytes(2, 100), 2 * 100 * D * 2);
  EXPECT_ERROR(Code::invalid_argument, build(model));  // a name that is taken
}

TEST(Builder, KeepsTheFirstErrorAndNamesIt) {
  Model model;
  GraphBuilder g(model, "bad");
  const ValueId x = g.input("x", DType::f32, {g.T(), {C}});
  const ValueId y = g.linear(x, g.weight("w", DType::f32, {4, C + 1}));
  g.output("y", g.add(y, y));
  const Status status = g.finish();
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Code::wrong_shape);
  EXPECT_NE(status.error().message().find("linear: input 1: expected a weight matrix [N, K] with K as in x, f32[T, 8], "
                                          "found f32[4, 9]"),
            std::string::npos)
      << status.error().message();
  EXPECT_TRUE(model.graphs.empty());
}

TEST(Builder, RefusesAWeightDeclaredWithTwoShapes) {
  Model model;
  GraphBuilder g(model, "bad");
  g.weight("w", DType::f32, {4, C});
  g.weight("w", DType::f32, {4, C + 1});
  EXPECT_ERROR(Code::wrong_shape, g.finish());
}

struct Breakage {
  const char* what;
  std::function<void(Graph&)> edit;
};

TEST(Verify, NamesEachKindOfBreakage) {
  Model model;
  ASSERT_OK(build(model));
  const Graph good = model.graphs[0];
  const int write = 8, attend = 9;  // nodes, as in the text above
  const Breakage breakages[] = {
      {"an input made later", [](Graph& g) { std::swap(g.nodes[1], g.nodes[2]); }},
      {"a value out of range", [](Graph& g) { g.nodes[1].inputs[0] = 1000; }},
      {"a required input absent", [](Graph& g) { g.nodes[1].inputs[1] = kNoValue; }},
      {"too few inputs", [](Graph& g) { g.nodes[1].inputs.pop_back(); }},
      {"a wrong type", [](Graph& g) { g.values[g.nodes[1].outputs[0]].type.dtype = DType::f16; }},
      {"an unknown dtype", [](Graph& g) { g.values[0].type.dtype = static_cast<DType>(200); }},
      {"an unknown op", [](Graph& g) { g.nodes[1].op = static_cast<Op>(200); }},
      {"an unknown kind", [](Graph& g) { g.values[0].kind = static_cast<ValueKind>(77); }},
      {"a rank of 9", [](Graph& g) { g.values[0].type.shape.rank = 9; }},
      {"a size of 0", [](Graph& g) { g.values[0].type.shape.dims[0].count = 0; }},
      {"an unknown symbol", [](Graph& g) { g.values[0].type.shape.dims[0].symbol = 40; }},
      {"two values of one name", [](Graph& g) { g.values[g.nodes[2].outputs[0]].name = "embed"; }},
      {"two symbols of one name", [](Graph& g) { g.symbols[1] = g.symbols[0]; }},
      {"a result made twice", [](Graph& g) { g.nodes[2].outputs = g.nodes[1].outputs; }},
      {"an output of nothing", [](Graph& g) { g.outputs[0].value = kNoValue; }},
      {"an input port of a result", [](Graph& g) { g.inputs[0].value = g.nodes[0].outputs[0]; }},
      {"an old version of a state", [&](Graph& g) { g.nodes[attend].inputs[1] = g.nodes[write].inputs[0]; }},
      {"a state as an ordinary operand", [&](Graph& g) { g.nodes[3].inputs[0] = g.nodes[write].outputs[0]; }},
      {"a write to what is no state", [&](Graph& g) { g.values[g.nodes[write].inputs[0]].kind = ValueKind::constant; }},
      {"attention over states that is not causal", [&](Graph& g) { g.nodes[attend].attrs.causal = false; }},
      {"a scale that is no number", [&](Graph& g) { g.nodes[attend].attrs.scale = std::nanf(""); }},
      {"a node without results", [](Graph& g) { g.nodes[1].outputs.clear(); }},
      {"a negative index", [](Graph& g) { g.values[0].index = -4; }},
  };
  ASSERT_OK(verify(good));
  for (const Breakage& b : breakages) {
    Graph graph = good;
    b.edit(graph);
    EXPECT_FALSE(verify(graph).has_value()) << b.what;
    EXPECT_FALSE(to_string(graph).empty());
  }
}

// Whatever a graph holds, verify and the printer return; run under ASan and UBSan.
TEST(Verify, SurvivesRandomMutations) {
  Model model;
  ASSERT_OK(build(model));
  std::mt19937 random(7);
  auto any = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const int32_t odd[] = {-1000000, -2, -1, 0, 1, 2, 3, 4, 5, 9, 31, 1 << 20, INT32_MAX, INT32_MIN};
  auto number = [&] { return any(2) ? odd[any(std::size(odd))] : any(30); };
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    Graph g = model.graphs[0];
    for (int edits = 1 + any(3); edits > 0; --edits) {
      Value& value = g.values[any(static_cast<int>(g.values.size()))];
      Node& node = g.nodes[any(static_cast<int>(g.nodes.size()))];
      switch (any(14)) {
        case 0:
          value.type.dtype = static_cast<DType>(any(256));
          break;
        case 1:
          value.type.shape.rank = number();
          break;
        case 2:
          value.type.shape.dims[any(kMaxRank)] = {number(), number()};
          break;
        case 3:
          value.kind = static_cast<ValueKind>(any(7));
          break;
        case 4:
          value.index = number();
          break;
        case 5:
          value.name = any(2) ? "" : g.values[0].name;
          break;
        case 6:
          node.op = static_cast<Op>(any(kOpCount + 2));
          break;
        case 7:
          node.attrs.act = static_cast<Activation>(any(256));
          break;
        case 8:
          node.attrs.window = number();
          break;
        case 9:
          if (!node.inputs.empty()) node.inputs[any(static_cast<int>(node.inputs.size()))] = number();
          break;
        case 10:
          node.outputs.assign(static_cast<size_t>(any(3)), number());
          break;
        case 11:
          std::swap(node, g.nodes[any(static_cast<int>(g.nodes.size()))]);
          break;
        case 12:
          g.outputs[0].value = number();
          break;
        case 13:
          node.inputs.resize(static_cast<size_t>(any(7)), number());
          break;
      }
    }
    accepted += verify(g).has_value();
    to_string(g);
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 10000);
}

}  // namespace
}  // namespace weft
