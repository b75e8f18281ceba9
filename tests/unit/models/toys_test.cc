// Shapes of model that no file here has yet, so that the seams for them stay real: each runs through the interpreter
// and, planned with all passes, on the CPU, and both agree.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>

#include "cpu/cpu_device.h"
#include "graph/builder.h"
#include "passes/passes.h"
#include "support/support.h"

namespace weft {
namespace {

using test::run;
using Sizes = std::vector<std::pair<std::string, int64_t>>;
using Tensors = std::map<std::string, HostTensor>;
constexpr int64_t C = 32, H = 2, D = C / H, V = 11, kSlots = 2, kCells = 16, kRows = 8;

HostTensor floats(std::vector<int64_t> shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  HostTensor t{.shape = std::move(shape)};
  for (int64_t i = t.elements(); i > 0; --i) t.f32.push_back(normal(random) * 0.5f);
  return t;
}
HostTensor ints(std::vector<int32_t> values, int64_t columns = 0) {
  const auto n = static_cast<int64_t>(values.size());
  const std::vector<int64_t> shape = columns ? std::vector{n / columns, columns} : std::vector{n};
  return {.shape = shape, .i32 = std::move(values), .is_i32 = true};
}

class Reader : public WeightReader {
 public:
  explicit Reader(const std::vector<HostTensor>& weights) : weights_(weights) {}
  std::span<const std::byte> mapped(int w) override { return std::as_bytes(std::span(weights_[w].f32)); }
  Task<Status> read_rows(int w, int64_t, std::function<Status(int64_t, std::span<const std::byte>)> sink) override {
    co_return sink(0, mapped(w));
  }
  void release(int) override {}

 private:
  const std::vector<HostTensor>& weights_;
};

// A toy model with random weights, in the interpreter and on the CPU at once.
class Toy {
 public:
  Toy(const Model& model, Sizes bounds) : model_(model), bounds_(std::move(bounds)), reader_(weights_) {
    for (const WeightDecl& w : model.weights)
      weights_.push_back(floats(w.shape, static_cast<unsigned>(weights_.size())));
  }
  void start() {
    interpreter_.emplace(model_, reference_table(), [this](int w) { return weights_[w]; });
    std::map<std::string, int64_t> symbols;
    Sizes state_sizes;
    for (const auto& [name, size] : bounds_) {
      if (std::ranges::find(model_.state_symbols, name) == model_.state_symbols.end()) continue;
      symbols[name] = size;
      state_sizes.emplace_back(name, size);
    }
    interpreter_->reset_states(symbols);
    ASSERT_OK_AND(device, make_cpu_device(host_, 2));
    ASSERT_OK(run(device->load(model_, {}, reader_, {}, nullptr)));
    ASSERT_OK(run(device->create_states(model_, state_sizes)));
    for (const Graph& graph : model_.graphs) {
      ASSERT_OK_AND(const Graph fused, run_passes(graph, model_, device->caps(), {}));
      PlanOptions options;
      for (const auto& bound : bounds_) {
        if (fused.symbol(bound.first) != kNoSymbol) options.bounds.push_back(bound);
      }
      ASSERT_OK_AND(Plan plan, make_plan(model_, fused, device->caps(), options));
      plans_[graph.name] = std::make_unique<Plan>(std::move(plan));
      ASSERT_OK(run(device->prepare(*plans_[graph.name])));
    }
  }
  // Outputs of one step, from the interpreter; the device's must agree.
  Tensors step(const std::string& graph, const Tensors& inputs, const Sizes& sizes) {
    auto wanted = interpreter_->run(*model_.graph(graph), inputs);
    EXPECT_OK(wanted);
    if (!wanted) return {};
    const Plan& plan = *plans_.at(graph);
    Bindings bindings{.symbols = plan.bounds};
    for (const auto& [name, size] : sizes) bindings.symbols[plan.graph.symbol(name)] = size;
    for (const Port& port : plan.graph.inputs) {
      const HostTensor& t = inputs.at(port.name);
      bindings.inputs.push_back(t.is_i32 ? std::as_bytes(std::span(t.i32)) : std::as_bytes(std::span(t.f32)));
    }
    EXPECT_OK(run(device->submit(plan, bindings, nullptr, nullptr)));
    for (size_t p = 0; p < plan.graph.outputs.size(); ++p) {
      const HostTensor& want = wanted->at(plan.graph.outputs[p].name);
      std::vector<float> got(want.f32.size());
      EXPECT_OK(run(device->read(plan, static_cast<int>(p), std::as_writable_bytes(std::span(got)))));
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_NEAR(got[i], want.f32[i], 1e-4 + 1e-4 * std::abs(want.f32[i])) << plan.graph.outputs[p].name << " " << i;
      }
    }
    return *std::move(wanted);
  }
  HostTensor& state(int index) { return interpreter_->state(index); }
  std::unique_ptr<Device> device;

 private:
  test::TestHost host_;
  const Model& model_;
  Sizes bounds_;
  std::vector<HostTensor> weights_;
  Reader reader_;
  std::optional<Interpreter> interpreter_;
  std::map<std::string, std::unique_ptr<Plan>> plans_;
};

// "encode": features [E, C] in, memory [E, C] out, every row sees every row. "decode": ids in, cached self attention,
// attention over the memory, logits out. Shared: the projection w:kv.
Status build_translator(Model& model) {
  auto project = [](GraphBuilder& g, ValueId x, const char* name, Dim rows) {
    return g.view(g.linear(x, g.weight(name, DType::f32, {C, C})), {rows, {H}, {D}});
  };
  const float scale = 0.25f;
  {
    GraphBuilder g(model, "encode");
    const Dim e = g.symbol("E");
    const ValueId x = g.input("features", DType::f32, {e, {C}});
    const ValueId kv = project(g, x, "kv", e);
    const ValueId y = g.attention(project(g, x, "q", e), kv, kv, kNoValue, kNoValue, {.scale = scale, .causal = false});
    g.output("memory", g.add(x, g.view(y, {e, {C}})));
    WEFT_CHECK_OK(g.finish());
  }
  GraphBuilder g(model, "decode");
  const Dim t = g.T(), e = g.symbol("E");
  const ValueId ids = g.input("ids", DType::i32, {t}), memory = g.input("memory", DType::f32, {e, {C}});
  const ValueId slots = g.input("slots", DType::i32, {t}), cells = g.input("cells", DType::i32, {t});
  ValueId x = g.embedding(ids, g.weight("table", DType::f32, {V, C}));
  const ValueId cache =
      g.kv_write(g.state("cache", DType::f32, {g.symbol("N"), {H}, g.symbol("S"), {D}}, Rollback::truncate),
                 project(g, x, "kv", t), slots, cells);
  x = g.add(x, g.view(g.attention(project(g, x, "q", t), cache, cache, slots, cells, {.scale = scale}), {t, {C}}));
  const ValueId kv = project(g, memory, "kv", e);
  const ValueId y =
      g.attention(project(g, x, "cross", t), kv, kv, kNoValue, kNoValue, {.scale = scale, .causal = false});
  x = g.add(x, g.view(y, {t, {C}}));
  g.output("hidden", x);
  g.output("logits", g.linear(x, g.weight("table", DType::f32, {V, C})));
  return g.finish();
}

Tensors decoder_inputs(const HostTensor& memory, std::vector<int32_t> ids, std::vector<int32_t> slots,
                       std::vector<int32_t> cells) {
  return {{"ids", ints(std::move(ids))},
          {"memory", memory},
          {"slots", ints(std::move(slots))},
          {"cells", ints(std::move(cells))}};
}
const Sizes kTranslator{{"T", kRows}, {"E", kRows}, {"N", kSlots}, {"S", kCells}};

TEST(Toys, EncoderAndCrossAttendingDecoder) {
  Model model;
  ASSERT_OK(build_translator(model));
  EXPECT_EQ(model.weights.size(), 4u);
  Toy toy(model, kTranslator);
  toy.start();
  HostTensor features = floats({5, C}, 99);
  const HostTensor memory = toy.step("encode", {{"features", features}}, {{"E", 5}}).at("memory");
  features.f32.back() += 1;  // the last row reaches the first: nothing is causal
  EXPECT_NE(toy.step("encode", {{"features", features}}, {{"E", 5}}).at("memory").f32[0], memory.f32[0]);

  // As one step, and split after every token.
  const std::vector<int32_t> ids{3, 1, 4, 1};
  const Tensors whole =
      toy.step("decode", decoder_inputs(memory, ids, {0, 0, 0, 0}, {0, 1, 2, 3}), {{"T", 4}, {"E", 5}});
  for (int32_t t = 0; t < 4; ++t) {
    const Tensors one = toy.step("decode", decoder_inputs(memory, {ids[t]}, {1}, {t}), {{"T", 1}, {"E", 5}});
    for (int64_t v = 0; v < V; ++v) EXPECT_NEAR(one.at("logits").f32[v], whole.at("logits").f32[t * V + v], 1e-5);
  }
}

TEST(Toys, TwoSequencesInOneStepAreAsApart) {
  Model model;
  ASSERT_OK(build_translator(model));
  const HostTensor memory = floats({3, C}, 5);
  Toy together(model, kTranslator), apart(model, kTranslator);
  together.start();
  apart.start();
  const std::vector<int32_t> a{1, 2, 3}, b{7, 8};
  const Tensors both = together.step(
      "decode", decoder_inputs(memory, {1, 7, 2, 8, 3}, {0, 1, 0, 1, 0}, {0, 0, 1, 1, 2}), {{"T", 5}, {"E", 3}});
  const Tensors first = apart.step("decode", decoder_inputs(memory, a, {0, 0, 0}, {0, 1, 2}), {{"T", 3}, {"E", 3}});
  const Tensors second = apart.step("decode", decoder_inputs(memory, b, {0, 0}, {0, 1}), {{"T", 2}, {"E", 3}});
  const std::pair<const Tensors*, int> rows[] = {{&first, 0}, {&second, 0}, {&first, 1}, {&second, 1}, {&first, 2}};
  for (int r = 0; r < 5; ++r) {
    for (int64_t v = 0; v < V; ++v) {
      EXPECT_NEAR(both.at("logits").f32[r * V + v], rows[r].first->at("logits").f32[rows[r].second * V + v], 1e-6);
    }
  }
}

TEST(Toys, RecurrentStateRollsBackBySnapshotAndIsSaved) {
  Model model;
  {
    GraphBuilder g(model, "decode");
    const ValueId a = g.input("a", DType::f32, {g.T(), {C}}), b = g.input("b", DType::f32, {g.T(), {C}});
    const ValueId slots = g.input("slots", DType::i32, {g.T()});
    const ValueId state = g.state("h", DType::f32, {g.symbol("N"), {C}}, Rollback::snapshot);
    auto [y, next] = g.linear_recurrence(state, a, b, slots);
    g.output("y", y);
    g.output("doubled", g.scale(y, 2));
    ASSERT_OK(g.finish());
    EXPECT_EQ(model.states[0].rollback, Rollback::snapshot);
  }
  Toy toy(model, {{"T", kRows}, {"N", kSlots}, {"S", kCells}});
  toy.start();
  auto step = [&](unsigned seed) {
    return toy.step("decode",
                    {{"a", floats({3, C}, seed)}, {"b", floats({3, C}, seed + 1)}, {"slots", ints({1, 0, 1})}},
                    {{"T", 3}});
  };
  step(1);
  ASSERT_OK_AND(const auto saved, run(toy.device->read_state(0, 1, 0)));
  const HostTensor snapshot = toy.state(0);
  ASSERT_EQ(saved.size(), C * sizeof(float));
  for (int64_t c = 0; c < C; ++c) {
    float kept;
    std::memcpy(&kept, saved.data() + c * sizeof(float), sizeof kept);
    EXPECT_NEAR(kept, snapshot.f32[C + c], 1e-5);
  }
  const Tensors after = step(10);
  step(20);  // a wrong turn
  ASSERT_OK(run(toy.device->write_state(0, 1, 0, saved)));
  // Slot 0 is taken back as well: the interpreter holds both.
  ASSERT_OK(run(toy.device->write_state(0, 0, 0, std::as_bytes(std::span(snapshot.f32).first(C)))));
  toy.state(0) = snapshot;
  const Tensors again = step(10);
  EXPECT_EQ(again.at("y").f32, after.at("y").f32);
  EXPECT_EQ(again.at("doubled").f32, after.at("doubled").f32);
}

TEST(Toys, PositionsOfThreeAxes) {
  Model model;
  for (const bool axes : {false, true}) {
    GraphBuilder g(model, axes ? "three" : "one");
    const ValueId x = g.input("x", DType::f32, {g.T(), {H}, {D}});
    const ValueId p = g.input("positions", DType::i32, {g.T(), {axes ? 3 : 1}});
    const ValueId f = g.constant("f", {4}, {1, 0.5f, 0.25f, 0.125f});
    g.output("y", axes ? g.rope(x, p, f, 1, {2, 1, 1}) : g.rope(x, p, f));
    ASSERT_OK(g.finish());
  }
  Toy toy(model, {{"T", kRows}, {"N", kSlots}, {"S", kCells}});
  toy.start();
  const HostTensor x = floats({2, H, D}, 3);
  auto one = [&](int32_t a, int32_t b) {
    return toy.step("one", {{"x", x}, {"positions", ints({a, b}, 1)}}, {{"T", 2}});
  };
  auto three = [&](std::vector<int32_t> p) {
    return toy.step("three", {{"x", x}, {"positions", ints(std::move(p), 3)}}, {{"T", 2}});
  };
  EXPECT_EQ(three({4, 4, 4, 9, 9, 9}).at("y").f32, one(4, 9).at("y").f32);
  // Frequencies 0 and 1 follow the first axis, 2 the second, 3 the third.
  const Tensors mixed = three({4, 5, 6, 9, 9, 9});
  const Tensors by_axis[] = {one(4, 9), one(5, 9), one(6, 9)};
  const int axis_of[] = {0, 0, 1, 2};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(mixed.at("y").f32[i], by_axis[axis_of[i]].at("y").f32[i]);
    EXPECT_EQ(mixed.at("y").f32[i + 4], by_axis[axis_of[i]].at("y").f32[i + 4]);
  }
}

}  // namespace
}  // namespace weft
