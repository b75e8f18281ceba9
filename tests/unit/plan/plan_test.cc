#include "plan/plan.h"

#include <algorithm>
#include <map>
#include <random>

#include "graph/builder.h"
#include "plan/storage.h"
#include "support/support.h"

namespace weft {
namespace {

const Caps kCpu{.kind = Caps::Kind::cpu, .name = "cpu baseline, 1 thread"};
constexpr int64_t C = 16;

// Walks the plan and keeps, for each 64 bytes of the arena, which content lies there. A step must find in each operand
// exactly what its producer left.
void check_storage(const Plan& plan) {
  const Graph& g = plan.graph;
  std::vector<ValueId> source(g.values.size());  // of a view: what it shows
  for (size_t v = 0; v < source.size(); ++v) source[v] = static_cast<ValueId>(v);
  for (const Node& node : g.nodes) {
    if (node.op == Op::view) source[node.outputs[0]] = source[node.inputs[0]];
  }
  std::vector<ValueId> arena(static_cast<size_t>((plan.arena_bytes + 63) / 64), kNoValue);
  std::map<int32_t, ValueId> outputs;
  auto cells = [&](const Operand& o) {
    EXPECT_EQ(o.place.offset % 64, 0);
    const int64_t bytes = size_of(g.type(o.value), plan.bounds);
    EXPECT_LE(o.place.offset + bytes, plan.arena_bytes);
    return std::span(arena).subspan(static_cast<size_t>(o.place.offset / 64), static_cast<size_t>((bytes + 63) / 64));
  };
  for (const Step& step : plan.steps) {
    const Node& node = g.nodes[step.node];
    ASSERT_EQ(step.in.size(), node.inputs.size());
    for (size_t i = 0; i < step.in.size(); ++i) {
      const Operand& o = step.in[i];
      ASSERT_EQ(o.value, node.inputs[i]);
      if (o.place.space == Place::Space::arena) {
        for (ValueId content : cells(o)) ASSERT_EQ(content, source[o.value]) << to_string(plan);
      } else if (o.place.space == Place::Space::output) {
        ASSERT_EQ(outputs[o.place.index], source[o.value]);
      } else if (o.value != kNoValue && o.place.space != Place::Space::state) {
        ASSERT_NE(g.values[source[o.value]].kind, ValueKind::result);
      }
    }
    for (const Operand& o : step.out) {
      if (o.place.space == Place::Space::arena) std::ranges::fill(cells(o), o.value);
      if (o.place.space == Place::Space::output) outputs[o.place.index] = o.value;
    }
  }
  for (size_t p = 0; p < g.outputs.size(); ++p) {
    EXPECT_EQ(outputs[static_cast<int32_t>(p)], source[g.outputs[p].value]) << g.outputs[p].name;
  }
}

TEST(Plan, TextFormIsStable) {
  Model model;
  GraphBuilder g(model, "decode");
  const ValueId ids = g.input("ids", DType::i32, {g.T()}), slots = g.input("slots", DType::i32, {g.T()});
  const ValueId cells = g.input("cells", DType::i32, {g.T()});
  const ValueId x = g.name(g.embedding(ids, g.weight("table", DType::f32, {10, C})), "embed");
  const ValueId h = g.rms_norm(x, g.weight("norm", DType::f32, {C}), 1e-5f);
  const ValueId q = g.view(h, {g.T(), {2}, {8}});
  const ValueId state = g.state("cache", DType::f16, {g.symbol("N"), {2}, g.symbol("S"), {8}}, Rollback::truncate);
  const ValueId written = g.kv_write(state, q, slots, cells);
  const ValueId y = g.view(g.attention(q, written, written, slots, cells, {}), {g.T(), {C}});
  g.output("y", g.name(g.scale(g.activation(g.add(x, y), Activation::relu), 2), "result"));
  ASSERT_OK(g.finish());
  ASSERT_OK_AND(const Plan plan, make_plan(model, model.graphs[0], kCpu, {.bounds = {{"T", 3}, {"N", 1}, {"S", 32}}}));
  check_storage(plan);
  EXPECT_EQ(plan.peak_values, 3);
  EXPECT_EQ(plan.arena_bytes, 3 * 192);  // x, h (seen as q) and y; the sum and the activation take over x
  const std::string text = to_string(plan);
  EXPECT_TRUE(text.starts_with("plan decode on cpu baseline, 1 thread\nbounds T=3, N=1, S=32\narena 576 bytes"))
      << text;
  EXPECT_NE(text.find("%0@0 = embedding"), std::string::npos) << text;
  EXPECT_NE(text.find("(in:ids, w:table) : f32[T, 16]  # embed\n"), std::string::npos) << text;
  EXPECT_NE(text.find("(s:cache, %2@192, in:slots, in:cells) : f16[N, 2, S, 8]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("%8@out:y = scale"), std::string::npos) << text;
  ASSERT_OK_AND(const Plan again, make_plan(model, model.graphs[0], kCpu, {.bounds = {{"S", 32}, {"N", 1}, {"T", 3}}}));
  EXPECT_EQ(to_string(again), text);

  const Plan* plans[] = {&plan};
  const MemoryUse use = memory_needed(model, plans);
  EXPECT_EQ(use.weights, (10 * C + C) * 4);
  EXPECT_EQ(use.states, 2 * 32 * 8 * 2);
  EXPECT_EQ(use.activations, plan.arena_bytes + plan.scratch_bytes + 3 * C * 4);
}

TEST(Plan, OutputsThatAreNotTheirOwnAreCopied) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {C}});
  const ValueId y = g.scale(x, 2);
  g.output("x", x);
  g.output("y", y);
  g.output("y_again", g.view(y, {{C}, g.T()}));
  ASSERT_OK(g.finish());
  ASSERT_OK_AND(const Plan plan, make_plan(model, model.graphs[0], kCpu, {.bounds = {{"T", 3}}}));
  EXPECT_EQ(plan.steps.size(), 3u);
  check_storage(plan);
}

TEST(Plan, ErrorsNameBoundsAndNodes) {
  Model model;
  GraphBuilder g(model, "g");
  const ValueId x = g.input("x", DType::f32, {g.T(), {C}});
  g.output("y", g.name(g.linear(x, g.weight("w", DType::q4_k, {C, 256 / 16 * C / C})), "y"));
  EXPECT_FALSE(g.finish().has_value());  // rows of 16 are no whole blocks of 256

  Model fine;
  GraphBuilder f(fine, "f");
  f.output("y", f.scale(f.input("x", DType::f32, {f.T(), {C}}), 2));
  ASSERT_OK(f.finish());
  EXPECT_ERROR(Code::invalid_argument, make_plan(fine, fine.graphs[0], kCpu, {}));
  EXPECT_ERROR(Code::invalid_argument, make_plan(fine, fine.graphs[0], kCpu, {.bounds = {{"T", 0}}}));
  EXPECT_ERROR(Code::invalid_argument, make_plan(fine, fine.graphs[0], kCpu, {.bounds = {{"T", 1}, {"X", 1}}}));
  Model rounds;  // only GPUs round a row inside a matrix product
  GraphBuilder r(rounds, "r");
  r.output("y", r.linear(r.input("x", DType::f32, {r.T(), {32}}), r.weight("w", DType::f32, {C, 32})));
  ASSERT_OK(r.finish());
  ASSERT_OK(make_plan(rounds, rounds.graphs[0], kCpu, {.bounds = {{"T", 1}}}));
  rounds.graphs[0].nodes[0].attrs.quantized = true;
  EXPECT_ERROR(Code::unsupported, make_plan(rounds, rounds.graphs[0], kCpu, {.bounds = {{"T", 1}}}));
  fine.graphs[0].values[fine.graphs[0].nodes[0].outputs[0]].index = 5;
  EXPECT_ERROR(Code::invalid_argument, make_plan(fine, fine.graphs[0], kCpu, {.bounds = {{"T", 1}}}));
}

TEST(Plan, RandomGraphsNeverOverwriteWhatIsRead) {
  std::mt19937 random(11);
  auto any = [&](size_t n) { return random() % n; };
  double best = 1;
  for (int round = 0; round < 400; ++round) {
    Model model;
    GraphBuilder g(model, "g");
    const Shape wide{g.T(), {C}}, heads{g.T(), {2}, {C / 2}};
    std::vector<ValueId> pool{g.input("x", DType::f32, wide)};
    const ValueId positions = g.input("positions", DType::i32, {g.T(), {1}});
    const ValueId freq = g.constant("f", {2}, {1, 0.5f}), norm = g.weight("n", DType::f32, {C});
    const ValueId w = g.weight("w", DType::f32, {C, C});
    const int count = 3 + static_cast<int>(any(40));
    for (int i = 0; i < count; ++i) {
      const ValueId a = pool[any(pool.size())], b = any(3) ? pool.back() : pool[any(pool.size())];
      switch (any(8)) {
        case 0:
          pool.push_back(g.add(a, b));
          break;
        case 1:
          pool.push_back(g.mul(b, a));
          break;
        case 2:
          pool.push_back(g.activation(b, Activation::silu));
          break;
        case 3:
          pool.push_back(g.rms_norm(b, norm, 1e-5f));
          break;
        case 4:
          pool.push_back(g.linear(b, w));
          break;
        case 5:
          pool.push_back(g.view(g.rope(g.view(b, heads), positions, freq), wide));
          break;
        case 6:
          pool.push_back(g.view(b, wide));
          break;
        case 7:
          pool.push_back(g.softcap(b, 3));
          break;
      }
    }
    g.output("last", pool.back());
    g.output("some", pool[any(pool.size())]);
    ASSERT_OK(g.finish());
    const int64_t rows = 1 + static_cast<int64_t>(any(9));
    ASSERT_OK_AND(const Plan plan, make_plan(model, model.graphs[0], kCpu, {.bounds = {{"T", rows}}}));
    check_storage(plan);
    if (HasFatalFailure()) return;
    // No more memory than values alive at once: lives are intervals and here all sizes are equal.
    EXPECT_EQ(plan.arena_bytes, plan.peak_values * ((rows * C * 4 + 63) / 64 * 64));
    best = std::min(best, static_cast<double>(plan.peak_values) / count);
  }
  EXPECT_LT(best, 0.3);
}

}  // namespace
}  // namespace weft
