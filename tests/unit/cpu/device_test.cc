// The CPU device on a toy model: one cached attention layer with quantised and plain weights.
#include <cmath>
#include <cstring>

#include "cpu/cpu_device.h"
#include "graph/builder.h"
#include "ops/cpu_level.h"
#include "support/allocations.h"
#include "support/support.h"

namespace weft::test {
namespace {

constexpr int64_t kV = 48, kC = 64, kH = 4, kK = 2, kD = 16, kS = 64;

Model toy() {
  Model model{.architecture = "toy", .vocab_size = kV};
  GraphBuilder g(model, "decode");
  const Dim t = g.T(), n = g.symbol("N"), s = g.symbol("S");
  auto ids = g.input("ids", DType::i32, {t});
  auto positions = g.input("positions", DType::i32, {t, {1}});
  auto slots = g.input("slots", DType::i32, {t});
  auto cells = g.input("cells", DType::i32, {t});
  auto rows = g.input("rows", DType::i32, {g.R()});
  auto table = g.weight("embed", DType::q8_0, {kV, kC});
  auto freq = g.constant("inv_freq", {kD / 2}, std::vector<float>(kD / 2, 0.5f));
  auto x = g.name(g.embedding(ids, table), "embed_tokens");
  auto h = g.rms_norm(x, g.weight("norm", DType::f32, {kC}), 1e-5f);
  auto q = g.view(g.linear(h, g.weight("q_proj", DType::f32, {kH * kD, kC})), {t, {kH}, {kD}});
  auto k = g.view(g.linear(h, g.weight("k_proj", DType::q4_0, {kK * kD, kC})), {t, {kK}, {kD}});
  auto v = g.name(g.view(g.linear(h, g.weight("v_proj", DType::f16, {kK * kD, kC})), {t, {kK}, {kD}}), "v");
  auto kc = g.state("k_cache", DType::f16, {n, {kK}, s, {kD}}, Rollback::truncate);
  auto vc = g.state("v_cache", DType::f16, {n, {kK}, s, {kD}}, Rollback::truncate);
  kc = g.kv_write(kc, g.rope(k, positions, freq), slots, cells);
  vc = g.kv_write(vc, v, slots, cells);
  auto a = g.attention(g.rope(q, positions, freq), kc, vc, slots, cells, {.scale = 0.25f});
  auto y = g.name(g.add(x, g.view(a, {t, {kC}})), "residual");
  g.output("logits", g.linear(g.gather_rows(y, rows), table));
  const Status status = g.finish();
  EXPECT_TRUE(status.has_value()) << status.error().message();
  return model;
}

// Bytes that are valid in every format, the same at each call; hands out one row at a time to test regrouping.
class ToyReader : public WeightReader {
 public:
  explicit ToyReader(const Model& model, bool map = false) : model_(model), map_(map) {
    for (const WeightDecl& w : model.weights) {
      const int64_t k = w.shape.back(), rows = w.shape.size() == 2 ? w.shape[0] : 1;
      std::vector<std::byte> bytes(static_cast<size_t>(rows * row_bytes(w.dtype, k)));
      uint32_t random = static_cast<uint32_t>(w.name[0]);
      if (w.dtype == DType::f32) {
        for (size_t i = 0; i < bytes.size() / 4; ++i) {
          random = random * 1664525 + 1013904223;
          const float value = static_cast<float>(random >> 8) * 0x1p-24f - 0.4f;
          std::memcpy(bytes.data() + 4 * i, &value, 4);
        }
      } else {
        for (std::byte& byte : bytes) {
          random = random * 1664525 + 1013904223;
          byte = static_cast<std::byte>((random >> 24 & 0x83) | 0x28);  // as f16: 0.03 to 0.06, or negative
        }
      }
      bytes_.push_back(std::move(bytes));
    }
  }
  std::span<const std::byte> mapped(int weight) override {
    if (!map_) return {};
    return bytes_[static_cast<size_t>(weight)];
  }
  Task<Status> read_rows(int weight, int64_t,
                         std::function<Status(int64_t, std::span<const std::byte>)> sink) override {
    const WeightDecl& w = model_.weights[static_cast<size_t>(weight)];
    const size_t row = static_cast<size_t>(row_bytes(w.dtype, w.shape.back()));
    const auto& bytes = bytes_[static_cast<size_t>(weight)];
    const size_t limit = short_ ? bytes.size() / 2 : bytes.size();
    for (size_t at = 0; at < limit; at += 3 * row) {
      WEFT_CO_CHECK_OK(
          sink(static_cast<int64_t>(at / row), std::span(bytes).subspan(at, std::min(3 * row, limit - at))));
    }
    co_return Status{};
  }
  void release(int) override { ++released; }
  int released = 0;
  bool short_ = false;

 private:
  const Model& model_;
  bool map_;
  std::vector<std::vector<std::byte>> bytes_;
};

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& v) {
  return std::as_bytes(std::span(v));
}

class Toy {
 public:
  Toy(int threads, std::optional<CpuLevel> level = std::nullopt, int64_t bound = 8, bool map = false)
      : model(toy()), reader(model, map) {
    device = *make_cpu_device(host, threads, level);
    Status status = run(device->load(model, {}, reader, {}, nullptr));
    EXPECT_TRUE(status.has_value()) << status.error().message();
    states();
    auto made = make_plan(model, model.graphs[0], device->caps(), {{{"T", bound}, {"R", bound}, {"N", 2}, {"S", kS}}});
    EXPECT_TRUE(made.has_value()) << made.error().message();
    plan = *std::move(made);
    status = run(device->prepare(plan));
    EXPECT_TRUE(status.has_value()) << status.error().message();
  }
  void states() {
    const std::pair<std::string, int64_t> sizes[] = {{"N", 2}, {"S", kS}};
    const Status status = run(device->create_states(model, sizes));
    EXPECT_TRUE(status.has_value()) << status.error().message();
  }
  // Sets up a step of `ids` at cells from `cell` of `slot`; all logits are wanted.
  void step(std::vector<int32_t> tokens, int32_t cell, int32_t slot = 0) {
    const int64_t n = static_cast<int64_t>(tokens.size());
    ids = std::move(tokens);
    cells.clear();
    for (int32_t i = 0; i < n; ++i) cells.push_back(cell + i);
    slots.assign(static_cast<size_t>(n), slot);
    rows.clear();
    for (int32_t i = 0; i < n; ++i) rows.push_back(i);
    bindings.symbols.assign(plan.graph.symbols.size(), 0);
    const auto set = [&](std::string_view name, int64_t value) {
      bindings.symbols[static_cast<size_t>(plan.graph.symbol(name))] = value;
    };
    set("T", n), set("R", n), set("N", 2), set("S", kS);
    bindings.inputs = {bytes_of(ids), bytes_of(cells), bytes_of(slots), bytes_of(cells), bytes_of(rows)};
  }
  std::vector<float> logits() {
    std::vector<float> out(ids.size() * kV);
    const Status status = run(device->read(plan, 0, std::as_writable_bytes(std::span(out))));
    EXPECT_TRUE(status.has_value()) << status.error().message();
    return out;
  }
  std::vector<float> forward(std::vector<int32_t> tokens, int32_t cell, int32_t slot = 0) {
    step(std::move(tokens), cell, slot);
    const Status status = run(device->submit(plan, bindings, nullptr, nullptr));
    EXPECT_TRUE(status.has_value()) << status.error().message();
    return logits();
  }

  TestHost host;
  Model model;
  ToyReader reader;
  std::unique_ptr<Device> device;
  Plan plan;
  std::vector<int32_t> ids, cells, slots, rows;
  Bindings bindings;
};

const std::vector<int32_t> kTokens{5, 17, 40, 3, 9, 28, 11};

// The reference: the interpreter over the same weights as floats.
std::vector<float> interpreted(Toy& toy) {
  Interpreter interpreter(toy.model, reference_table(), [&](int i) {
    const WeightDecl& w = toy.model.weights[static_cast<size_t>(i)];
    HostTensor tensor{.shape = w.shape};
    tensor.f32.resize(static_cast<size_t>(tensor.elements()));
    ToyReader mapped(toy.model, true);
    for (int64_t r = 0; r < (w.shape.size() == 2 ? w.shape[0] : 1); ++r) {
      unpack_row(w.dtype, w.shape, WeightLayout::row_major, mapped.mapped(i).data(), r,
                 tensor.f32.data() + r * w.shape.back());
    }
    return tensor;
  });
  interpreter.reset_states({{"N", 2}, {"S", kS}});
  std::map<std::string, HostTensor> inputs;
  for (size_t i = 0; i < toy.plan.graph.inputs.size(); ++i) {
    const auto bytes = toy.bindings.inputs[i];
    HostTensor tensor{.shape = {static_cast<int64_t>(bytes.size() / 4)}, .is_i32 = true};
    if (toy.plan.graph.inputs[i].name == "positions") tensor.shape.push_back(1);
    tensor.i32.resize(bytes.size() / 4);
    std::memcpy(tensor.i32.data(), bytes.data(), bytes.size());
    inputs[toy.plan.graph.inputs[i].name] = tensor;
  }
  auto result = interpreter.run(toy.model.graphs[0], inputs);
  EXPECT_TRUE(result.has_value()) << result.error().message();
  return (*result)["logits"].f32;
}

TEST(CpuDevice, ComputesWhatTheInterpreterDoes) {
  for (CpuLevel level : available_cpu_levels()) {
    for (bool map : {false, true}) {
      Toy toy(2, level, 8, map);
      const std::vector<float> got = toy.forward(kTokens, 0), want = interpreted(toy);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_TRUE(std::fabs(got[i] - want[i]) <= 2e-3f * (1 + std::fabs(want[i])))
            << i << " " << got[i] << " " << want[i];
      }
    }
  }
}

TEST(CpuDevice, AnySplitAndThreadCountGivesTheSameBits) {
  Toy one(1);
  const std::vector<float> want = one.forward(kTokens, 0);
  for (int threads : {1, 2, 3}) {
    for (size_t cut = 1; cut < kTokens.size(); ++cut) {
      Toy toy(threads);
      std::vector<float> got = toy.forward({kTokens.begin(), kTokens.begin() + static_cast<int64_t>(cut)}, 0);
      const auto rest =
          toy.forward({kTokens.begin() + static_cast<int64_t>(cut), kTokens.end()}, static_cast<int32_t>(cut));
      got.insert(got.end(), rest.begin(), rest.end());
      ASSERT_EQ(got, want) << threads << " threads, cut at " << cut;
    }
  }
}

TEST(CpuDevice, SlotsAreSeparate) {
  Toy toy(2);
  const auto want = toy.forward(kTokens, 0, 0);
  toy.forward({1, 2, 3, 4}, 0, 1);
  EXPECT_EQ(toy.forward(kTokens, 0, 1), want);
}

TEST(CpuDevice, StatesSaveAndRestore) {
  Toy toy(1);
  toy.forward({kTokens.begin(), kTokens.begin() + 4}, 0);
  ASSERT_OK_AND(const auto k, run(toy.device->read_state(0, 0, 4)));
  ASSERT_OK_AND(const auto v, run(toy.device->read_state(1, 0, 4)));
  EXPECT_EQ(k.size(), 2u * kK * 4 * kD);
  const auto want = toy.forward({kTokens.begin() + 4, kTokens.end()}, 4);
  toy.states();
  ASSERT_OK(run(toy.device->write_state(0, 1, 4, k)));
  ASSERT_OK(run(toy.device->write_state(1, 1, 4, v)));
  EXPECT_EQ(toy.forward({kTokens.begin() + 4, kTokens.end()}, 4, 1), want);
  EXPECT_ERROR(Code::invalid_argument, run(toy.device->read_state(2, 0, 4)));
  EXPECT_ERROR(Code::invalid_argument, run(toy.device->read_state(0, 2, 4)));
  EXPECT_ERROR(Code::invalid_argument, run(toy.device->read_state(0, 0, kS + 1)));
  EXPECT_ERROR(Code::invalid_argument, run(toy.device->write_state(0, 0, 3, k)));
}

TEST(CpuDevice, TapsSeeNamedValuesInOrderAndChangeNothing) {
  Toy toy(1);
  const auto want = toy.forward(kTokens, 0);
  std::vector<std::string> names;
  const TapSink sink = [&](const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
    names.push_back(name);
    int64_t n = 1;
    for (int64_t dim : shape) n *= dim;
    EXPECT_EQ(static_cast<int64_t>(values.size()), n) << name;
    if (name == "v") {
      EXPECT_EQ(std::vector<int64_t>(shape.begin(), shape.end()), (std::vector<int64_t>{7, kK, kD}));
      EXPECT_NE(values[0], 0.0f);
    }
    for (float value : values) ASSERT_TRUE(std::isfinite(value)) << name;
  };
  toy.step(kTokens, 0);
  ASSERT_OK(run(toy.device->submit(toy.plan, toy.bindings, nullptr, &sink)));
  EXPECT_EQ(toy.logits(), want);
  EXPECT_EQ(names, (std::vector<std::string>{"embed_tokens", "v", "residual"}));
}

TEST(CpuDevice, CancelIsSeenBetweenStepsAndTheDeviceGoesOn) {
  Toy toy(2);
  const auto want = toy.forward(kTokens, 0);
  CancelFlag cancel;
  cancel.cancel();
  EXPECT_ERROR(Code::cancelled, run(toy.device->submit(toy.plan, toy.bindings, &cancel, nullptr)));
  EXPECT_EQ(toy.forward(kTokens, 0), want);
  ToyReader again(toy.model);
  EXPECT_ERROR(Code::cancelled, run(toy.device->load(toy.model, {}, again, {}, &cancel)));
}

TEST(CpuDevice, BadBindingsAreNamedErrors) {
  Toy toy(1);
  const auto submit = [&] { return run(toy.device->submit(toy.plan, toy.bindings, nullptr, nullptr)); };
  toy.step({kV}, 0);
  EXPECT_ERROR(Code::invalid_argument, submit());
  toy.step({-1}, 0);
  EXPECT_ERROR(Code::invalid_argument, submit());
  toy.step({1}, kS);
  EXPECT_ERROR(Code::invalid_argument, submit());
  toy.step({1}, 0, 2);
  EXPECT_ERROR(Code::invalid_argument, submit());
  toy.step({1, 2}, 0);
  toy.rows[1] = 2;
  EXPECT_ERROR(Code::invalid_argument, submit());
  toy.step(std::vector<int32_t>(9, 1), 0);
  EXPECT_ERROR(Code::invalid_argument, submit());
  toy.step({1}, 0);
  toy.bindings.inputs[0] = {};
  EXPECT_ERROR(Code::invalid_argument, submit());
  const Plan other = toy.plan;
  toy.step({1}, 0);
  EXPECT_ERROR(Code::invalid_argument, run(toy.device->submit(other, toy.bindings, nullptr, nullptr)));
  ToyReader half(toy.model);
  half.short_ = true;
  EXPECT_ERROR(Code::wrong_shape, run(toy.device->load(toy.model, {}, half, {}, nullptr)));
}

TEST(CpuDevice, RefusesThreadsAndInstructionSetsThatAreNotThere) {
  TestHost host;
  EXPECT_ERROR(Code::invalid_argument, make_cpu_device(host, -1));
  EXPECT_ERROR(Code::invalid_argument, make_cpu_device(host, 1000));
  const bool x86 = available_cpu_levels()[0] == CpuLevel::baseline;
  EXPECT_ERROR(Code::unsupported, make_cpu_device(host, 1, x86 ? CpuLevel::neon : CpuLevel::avx2));
  ASSERT_OK_AND(auto device, make_cpu_device(host, 2, available_cpu_levels()[0]));
  EXPECT_NE(device->caps().name.find("2 threads"), std::string::npos) << device->caps().name;
}

// The coroutine's own frame is all that a step may allocate, however many steps the plan has.
TEST(CpuDevice, ATokenAllocatesOneFrame) {
  Toy toy(2);
  toy.forward({1}, 0);
  toy.step({2}, 1);
  const long before = allocations();
  const Status status = run(toy.device->submit(toy.plan, toy.bindings, nullptr, nullptr));
  const long used = allocations() - before;
  ASSERT_OK(status);
  EXPECT_LE(used, 1);
}

TEST(CpuDevice, GivesControlBackDuringLongSteps) {
  // A clock that runs 1 ms with each look: a step of many chunks then lasts long enough.
  class FastClock : public TestHost {
   public:
    double now() override { return clock += 0.001; }
    double clock = 0;
  };
  Toy toy(1);
  FastClock host;
  auto device = *make_cpu_device(host, 1);
  ASSERT_OK(run(device->load(toy.model, {}, toy.reader, {}, nullptr)));
  const std::pair<std::string, int64_t> sizes[] = {{"N", 2}, {"S", kS}};
  ASSERT_OK(run(device->create_states(toy.model, sizes)));
  ASSERT_OK(run(device->prepare(toy.plan)));
  toy.step(kTokens, 0);
  const int before = host.yields;
  const double start = host.clock;
  ASSERT_OK(run(device->submit(toy.plan, toy.bindings, nullptr, nullptr)));
  EXPECT_GE(host.yields - before, static_cast<int>((host.clock - start) / 0.05));
  std::vector<float> out(kTokens.size() * kV);
  ASSERT_OK(run(device->read(toy.plan, 0, std::as_writable_bytes(std::span(out)))));
  EXPECT_EQ(out, toy.forward(kTokens, 0));
}

}  // namespace
}  // namespace weft::test
