// The golden models on a GPU, whichever VK_DRIVER_FILES names: the plans that ship, then the graphs as the models
// define them, each with the prompt in one step and token by token; then greedy tokens through the session.
// WEFT_TEST_GPU (set by ctest) says that there must be a GPU; without it and without a GPU these tests are skipped.
#include <algorithm>
#include <cstdlib>

#include "golden_support.h"
#include "session/session.h"
#include "support/small_bindings.h"

namespace weft::test {
namespace {

constexpr int64_t kCells = 96;

struct Way {
  const char* name;
  bool passes;
  int64_t chunk;  // 0: the whole prompt
};
constexpr Way kWays[] = {{"all passes, prefill", true, 0},
                         {"all passes, token by token", true, 1},
                         {"all passes, chunks of 7", true, 7},
                         {"no passes, prefill", false, 0},
                         {"no passes, token by token", false, 1}};

class GoldenGpu : public testing::TestWithParam<const char*> {
 protected:
  // Loads the file with a cache of this type; on its device the plans of the session are there, others can join them.
  void open(DType kv, LoadOptions options = {}) {
    options.device = "webgpu";
    options.gpu.robust = true;
    options.gpu.skip_validation = false;
    options.context = kCells;
    options.kv = kv;
    auto loaded = run(LanguageModel::load(host_, golden_dir(GetParam()) + "/model.gguf", std::move(options)));
    if (!loaded && loaded.error().code == Code::no_device && !std::getenv("WEFT_TEST_GPU"))
      GTEST_SKIP() << "skipped: " << loaded.error().message();
    ASSERT_OK(loaded);
    model_ = *std::move(loaded);
    ASSERT_EQ(model_->caps().kind, Caps::Kind::webgpu);
    ASSERT_OK_AND(golden_, open_golden(GetParam(), "model.gguf", kv));
  }

  // The plan of `way`; the device refers to it.
  Result<const Plan*> plan(const Way& way, int64_t rows) {
    const Model& model = model_->model();
    Device& device = model_->device();
    std::vector<std::string> disabled;
    if (!way.passes) disabled = {"*"};
    WEFT_TRY(const Graph graph, run_passes(*model.graph("decode"), model, {device.caps(), rows}, disabled));
    WEFT_TRY(Plan made,
             make_plan(model, graph, device.caps(), {.bounds = {{"T", rows}, {"R", rows}, {"N", 1}, {"S", kCells}}}));
    plans_.push_back(std::make_unique<Plan>(std::move(made)));
    return plans_.back().get();
  }

  void check(const Way& way, double atol, double rtol) {
    SCOPED_TRACE(way.name);
    const auto length = static_cast<int64_t>(golden_->reference.ids.size());
    const int64_t rows = way.chunk > 0 ? way.chunk : length;
    ASSERT_OK_AND(const Plan* planned, plan(way, rows));
    Device& device = model_->device();
    const std::pair<std::string, int64_t> sizes[] = {{"N", 1}, {"S", kCells}};
    ASSERT_OK(run(device.create_states(model_->model(), sizes)));
    ASSERT_OK(run(device.prepare(*planned)));
    ASSERT_OK_AND(
        const VerifyReport report,
        run(verify_activations(
            golden_->reference, rows, device_step(device, *planned),
            {.values = way.passes ? VerifyValues::kept : VerifyValues::all, .absolute = atol, .relative = rtol})));
    EXPECT_EQ(report.first_miss, "") << report.detail;
    const int64_t layers = golden_->model.layers;
    if (!way.passes) {
      EXPECT_EQ(report.checked, static_cast<int64_t>(golden_->reference.activations.size()) + 2 * layers);
    }
    EXPECT_GE(report.checked, 4 * layers + 1);
    std::printf("[ figure   ] %s, %s: %zu steps, %lld values, max |a-b| %.2g, max rel %.2g\n", GetParam(), way.name,
                planned->steps.size(), static_cast<long long>(report.checked), report.max_abs, report.max_rel);
  }

  void check_greedy() {
    ASSERT_FALSE(golden_->prompts.empty());
    for (const Prompt& prompt : golden_->prompts) {
      ASSERT_OK_AND(auto session, run(model_->new_session()));
      ASSERT_OK_AND(const Generated out,
                    run(session->generate({.prompt = prompt.ids,
                                           .max_tokens = static_cast<int64_t>(prompt.greedy.size()),
                                           .sampling = {.temperature = 0},
                                           .ignore_end = true},
                                          {})));
      EXPECT_EQ(out.ids, prompt.greedy) << "prompt of " << prompt.ids.size() << " tokens";
      EXPECT_EQ(out.stats.device, model_->caps().name);
    }
  }

  // SwiftShader takes five seconds to load a model. There, what only varies the above runs for one model of each kind.
  bool slow() {
    if (!slow_) {
      auto gpu = run(open_gpu(host_, {}));
      slow_ = gpu && (*gpu)->info().software && !(*gpu)->info().f16;
    }
    return *slow_;
  }
  bool skips() {
    const std::string_view name = GetParam();
    return name != "llama" && name != "gemma3" && slow();
  }

  TestHost host_;
  std::optional<bool> slow_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Golden> golden_;
};

#define OPEN_OR_SKIP(...) \
  open(__VA_ARGS__);      \
  if (!golden_) return

// Greedy tokens of the session's own plans, then every named value.
TEST_P(GoldenGpu, TokensAndEveryWay) {
  OPEN_OR_SKIP(DType::f32, {.burst = 8});
  check_greedy();
  for (const Way& way : kWays) {
    if (!slow() || way.chunk != 7) check(way, golden_->atol, golden_->rtol);
  }
}

// The prompt in steps of seven, tokens in other bursts.
TEST_P(GoldenGpu, TokensInSmallSteps) {
  if (skips()) GTEST_SKIP() << "skipped: too slow here";
  OPEN_OR_SKIP(DType::f32, {.prefill_chunk = 7, .burst = 3});
  check_greedy();
}

// As on a GPU whose bindings are smaller than the table of embeddings: it lies in parts.
TEST_P(GoldenGpu, LargeWeightsInParts) {
  if (skips()) GTEST_SKIP() << "skipped: too slow here";
  OPEN_OR_SKIP(DType::f32, {.burst = 8, .make_device = small_bindings(20'000)});
  EXPECT_TRUE(std::ranges::any_of(model_->model().weights, [](const WeightDecl& w) {
    return layout_bytes(w.dtype, w.shape, WeightLayout::row_major) > 20'000;
  }));
  check_greedy();
  for (const Way& way : kWays) {
    if (!slow() || way.chunk != 7) check(way, golden_->atol, golden_->rtol);
  }
}

// What ships by default keeps the cache in f16: held to the tolerance of f16.
TEST_P(GoldenGpu, AnF16Cache) {
  if (skips()) GTEST_SKIP() << "skipped: too slow here";
  OPEN_OR_SKIP(DType::f16);
  for (const Way& way : {kWays[0], kWays[1]}) check(way, 0.1, 0.05);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenGpu, testing::ValuesIn(kGoldens),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace weft::test
