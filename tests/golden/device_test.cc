// The same models planned and run on the CPU: with passes off every named value, with passes on what is left of them,
// the caches, the logits; then greedy tokens under every split of the prompt, with one thread and two.
#include <algorithm>

#include "cpu/cpu_device.h"
#include "golden_support.h"
#include "passes/passes.h"

namespace weft::test {
namespace {

constexpr int64_t kCells = 96;

class FileReader : public WeightReader {
 public:
  FileReader(Weights& weights, const Model& model) : weights_(weights), model_(model) {}
  std::span<const std::byte> mapped(int) override { return {}; }
  Task<Status> read_rows(int weight, int64_t chunk_bytes,
                         std::function<Status(int64_t, std::span<const std::byte>)> sink) override {
    WEFT_CO_TRY(const WeightInfo info, weights_.find(model_.weights[weight].name));
    co_return co_await weights_.read_rows(info, chunk_bytes, std::move(sink));
  }
  void release(int) override {}

 private:
  Weights& weights_;
  const Model& model_;
};

// A golden on a device, for one prompt at a time.
class OnDevice {
 public:
  Status open(const Golden& golden, int threads, bool passes) {
    golden_ = &golden;
    WEFT_TRY(device_, make_cpu_device(host_, threads));
    reader_ = std::make_unique<FileReader>(*golden.weights, golden.model);
    WEFT_CHECK_OK(run(device_->load(golden.model, {}, *reader_, {}, nullptr)));
    std::vector<std::string> disabled;
    if (!passes) disabled = {"*"};
    WEFT_TRY(graph_, run_passes(*golden.model.graph("decode"), golden.model, device_->caps(), disabled));
    return reset();
  }
  Status reset() {
    const std::pair<std::string, int64_t> sizes[] = {{"N", 1}, {"S", kCells}};
    return run(device_->create_states(golden_->model, sizes));
  }
  // A plan for steps of up to `rows` rows, all of whose logits are wanted.
  Result<const Plan*> plan(int64_t rows) {
    auto& plan = plans_[rows];
    if (!plan) {
      WEFT_TRY(Plan made, make_plan(golden_->model, graph_, device_->caps(),
                                    {.bounds = {{"T", rows}, {"R", rows}, {"N", 1}, {"S", kCells}}}));
      plan = std::make_unique<Plan>(std::move(made));
      WEFT_CHECK_OK(run(device_->prepare(*plan)));
    }
    return plan.get();
  }
  Result<VerifyReport> verify(int64_t chunk, VerifyOptions options) {
    WEFT_TRY(const Plan* p, plan(chunk));
    return run(verify_activations(golden_->reference, chunk, device_step(*device_, *p), options));
  }
  // One step; the last row's best id.
  Result<int32_t> step(int64_t first, std::span<const int32_t> ids) {
    WEFT_TRY(const Plan* p, plan(static_cast<int64_t>(ids.size())));
    std::vector<float> logits;
    const TapSink sink = [&](const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
      if (name == "logits") logits.assign(values.end() - shape[1], values.end());
    };
    WEFT_CHECK_OK(run(device_step(*device_, *p)(first, ids, sink)));
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  // The prompt in two steps, cut at `split` (0: in one), then token by token.
  Result<std::vector<int32_t>> greedy(const Prompt& prompt, int64_t split) {
    WEFT_CHECK_OK(reset());
    const std::span<const int32_t> ids = prompt.ids;
    if (split > 0) WEFT_CHECK_OK(step(0, ids.first(static_cast<size_t>(split))));
    WEFT_TRY(int32_t next, step(split, ids.subspan(static_cast<size_t>(split))));
    std::vector<int32_t> out{next};
    while (out.size() < prompt.greedy.size()) {
      WEFT_TRY(next, step(static_cast<int64_t>(prompt.ids.size() + out.size() - 1), std::span(&out.back(), 1)));
      out.push_back(next);
    }
    return out;
  }
  const Graph& graph() const { return graph_; }

 private:
  TestHost host_;
  const Golden* golden_ = nullptr;
  std::unique_ptr<FileReader> reader_;
  Graph graph_;
  std::map<int64_t, std::unique_ptr<Plan>> plans_;
  std::unique_ptr<Device> device_;
};

class GoldenCpu : public testing::TestWithParam<const char*> {
 protected:
  // Checks one setting as prefill, in chunks and token by token.
  void check(const Golden& golden, bool passes, double atol, double rtol) {
    OnDevice device;
    ASSERT_OK(device.open(golden, 2, passes));
    const auto length = static_cast<int64_t>(golden.reference.ids.size());
    for (int64_t chunk : {length, int64_t{1}, int64_t{7}}) {
      ASSERT_OK(device.reset());
      ASSERT_OK_AND(
          const VerifyReport report,
          device.verify(
              chunk, {.values = passes ? VerifyValues::kept : VerifyValues::all, .absolute = atol, .relative = rtol}));
      EXPECT_EQ(report.first_miss, "") << report.detail << ", chunks of " << chunk;
      if (!passes) {
        EXPECT_EQ(report.checked, static_cast<int64_t>(golden.reference.activations.size()) + 2 * golden.model.layers);
      }
      EXPECT_GE(report.checked, 4 * golden.model.layers + 1);
      std::printf("%s, cpu, passes %s, chunks of %lld: %lld values, max |a-b| %.2g, max rel %.2g\n", GetParam(),
                  passes ? "on" : "off", static_cast<long long>(chunk), static_cast<long long>(report.checked),
                  report.max_abs, report.max_rel);
    }
  }
};

TEST_P(GoldenCpu, EveryActivationWithPassesOff) {
  for (const char* form : {"model.gguf", "hf"}) {
    ASSERT_OK_AND(const auto golden, open_golden(GetParam(), form, DType::f32));
    check(*golden, false, golden->atol, golden->rtol);
  }
}

TEST_P(GoldenCpu, KeptActivationsWithPassesOn) {
  ASSERT_OK_AND(const auto golden, open_golden(GetParam(), "model.gguf", DType::f32));
  check(*golden, true, golden->atol, golden->rtol);
}

// What ships by default keeps the cache in f16: held to the tolerance of f16.
TEST_P(GoldenCpu, KeptActivationsWithAnF16Cache) {
  ASSERT_OK_AND(const auto golden, open_golden(GetParam(), "model.gguf", DType::f16));
  check(*golden, true, 0.1, 0.05);
}

TEST_P(GoldenCpu, EverySplitAndThreadCountGivesTheGreedyTokens) {
  ASSERT_OK_AND(const auto golden, open_golden(GetParam(), "model.gguf", DType::f32));
  for (int threads : {1, 2}) {
    OnDevice device;
    ASSERT_OK(device.open(*golden, threads, true));
    for (const Prompt& prompt : golden->prompts) {
      for (int64_t split = 0; split < static_cast<int64_t>(prompt.ids.size()); ++split) {
        ASSERT_OK_AND(const auto ids, device.greedy(prompt, split));
        ASSERT_EQ(ids, prompt.greedy) << prompt.ids.size() << " tokens, split at " << split << ", threads " << threads;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenCpu, testing::ValuesIn(kGoldens));

}  // namespace
}  // namespace weft::test
