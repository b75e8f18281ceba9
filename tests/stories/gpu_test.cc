// Real models end to end on a GPU, whichever VK_DRIVER_FILES names: the CPU's tokens, any burst, endings inside bursts,
// a lost device, memory. WEFT_TEST_GPU (set by ctest) says that there must be a GPU; without it and without a GPU these
// tests are skipped. WEFT_TEST_LONG: a thousand generations in place of a hundred.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "base/json.h"
#include "base/utf8.h"
#include "gpu/webgpu_device.h"
#include "story_support.h"
#include "support/small_bindings.h"

namespace weft {
namespace {

using namespace weft::test;

// Calls `on_yield` wherever the engine lets others run: between the steps of a prompt, between bursts.
class WatchedHost : public TestHost {
 public:
  Task<void> yield() override {
    if (on_yield) on_yield();
    co_return;
  }
  std::function<void()> on_yield;
};

LoadOptions on_gpu(LoadOptions options = {}) {
  options.device = "webgpu";
  options.gpu = {.robust = true, .skip_validation = false};
  if (options.context == 0) options.context = 256;
  if (options.prefill_chunk == 0) options.prefill_chunk = 16;
  return options;
}

Gpu& gpu_of(LanguageModel& model) { return static_cast<WebgpuDevice&>(model.device()).gpu(); }

// Eight bits a value in the activations of both devices, but not rounded at the same places.
constexpr double kMostError = 0.3;
constexpr SamplingOptions kSampled{
    .temperature = 0.9f, .top_k = 40, .top_p = 0.95f, .min_p = 0.02f, .repeat_penalty = 1.1f, .seed = 11};

class StoriesGpu : public testing::Test {
 protected:
  void SetUp() override {
    auto gpu = run(open_gpu(host_, {}));
    if (!gpu && gpu.error().code == Code::no_device && !std::getenv("WEFT_TEST_GPU"))
      GTEST_SKIP() << "skipped: " << gpu.error().message();
    ASSERT_OK(gpu);
    const auto path = default_model();
    ASSERT_TRUE(path) << "the default model is part of the project";
    path_ = *path;
    ASSERT_OK_AND(const Json reference,
                  parse_json(read_text(source_dir() + "/tools/train_default_model/reference.json"), "reference.json"));
    for (const Json& row : reference["prompts"]) prompts_.push_back(row["ids"].get<std::vector<int32_t>>());
    ASSERT_FALSE(prompts_.empty());
    slow_ = (*gpu)->info().software && !(*gpu)->info().f16;
    if (slow_) prompts_.resize(1);
  }
  std::unique_ptr<LanguageModel> open(LoadOptions options = {}) {
    auto model = load(host_, path_, on_gpu(std::move(options)));
    EXPECT_OK(model);
    return model ? *std::move(model) : nullptr;
  }
  static GenerateRequest request(std::vector<int32_t> prompt, int64_t count, SamplingOptions sampling) {
    return {.prompt = std::move(prompt), .max_tokens = count, .sampling = sampling, .ignore_end = true};
  }
  static GenerateRequest request(std::vector<int32_t> prompt, int64_t count) {
    return request(std::move(prompt), count, {.temperature = 0});
  }
  WatchedHost host_;
  std::string path_;
  std::vector<std::vector<int32_t>> prompts_;
  bool slow_ = false;  // SwiftShader: ten tokens a second, so fewer of everything
};

// Logits [T, V] of all positions.
std::vector<float> all_logits(LanguageModel& model, std::span<const int32_t> ids) {
  std::vector<float> all;
  auto session = new_session(model);
  EXPECT_OK(run(session->logits(ids, [&](int64_t, std::span<const float> rows) {
    all.insert(all.end(), rows.begin(), rows.end());
    return Status{};
  })));
  return all;
}

// Identical to the CPU's, or the first divergence lies where the CPU's gap is below the measured error of the logits
// along the CPU's tokens. The error itself is bounded: without that a wrong GPU would excuse itself.
// SwiftShader computes 4 tokens a second and compiles for seconds.
bool slow_gpu() {
  const char* gpu = std::getenv("WEFT_TEST_GPU");
  return gpu && std::string_view(gpu) == "swiftshader";
}

TEST_F(StoriesGpu, GreedyTokensAreTheCpus) {
  ASSERT_OK_AND(const auto cpu, load(host_, path_, {.device = "cpu", .context = 256}));
  const auto model = open();
  ASSERT_TRUE(model);
  const int64_t vocab = model->model().vocab_size;
  int divergences = 0;
  for (const auto& prompt : prompts_) {
    auto a = new_session(*cpu), b = new_session(*model);
    const std::vector<int32_t> wanted = generate(*a, request(prompt, 64)).ids;
    const std::vector<int32_t> got = generate(*b, request(prompt, 64)).ids;
    a.reset();
    b.reset();
    ASSERT_EQ(wanted.size(), 64u);
    ASSERT_EQ(got.size(), 64u);
    std::vector<int32_t> ids = prompt;
    ids.insert(ids.end(), wanted.begin(), wanted.end() - 1);
    const std::vector<float> of_cpu = all_logits(*cpu, ids), of_gpu = all_logits(*model, ids);
    ASSERT_EQ(of_gpu.size(), ids.size() * static_cast<size_t>(vocab));
    ASSERT_EQ(of_cpu.size(), of_gpu.size());
    double error = 0, square = 0;
    for (size_t i = 0; i < of_cpu.size(); ++i) {
      const double off = std::abs(static_cast<double>(of_cpu[i]) - of_gpu[i]);
      ASSERT_TRUE(std::isfinite(off)) << i;
      error = std::max(error, off);
      square += off * off;
    }
    const double mean = std::sqrt(square / static_cast<double>(of_cpu.size()));
    const size_t same = static_cast<size_t>(std::mismatch(got.begin(), got.end(), wanted.begin()).first - got.begin());
    std::printf("[ figure   ] %zu of 64 ids are the CPU's; logits differ by up to %.2g, %.2g in the mean\n", same,
                error, mean);
    EXPECT_LT(error, kMostError);
    EXPECT_LT(mean, kMostError / 5);
    if (same == 64) continue;
    ++divergences;
    const float* row = of_cpu.data() + (prompt.size() + same - 1) * static_cast<size_t>(vocab);
    EXPECT_LE(row[wanted[same]] - row[got[same]], error) << "leaves the CPU's tokens at token " << same;
  }
  std::printf("[ figure   ] divergences: %d of %zu prompts\n", divergences, prompts_.size());
}

TEST_F(StoriesGpu, Stories260KInF32GivesTheCpusTokens) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  const auto path = stories260k("f32");
  if (!path) GTEST_SKIP() << "skipped: no shared data";
  ASSERT_OK_AND(const auto cpu, load(host_, *path, {.device = "cpu", .kv = DType::f32}));
  ASSERT_OK_AND(const auto model, load(host_, *path, on_gpu({.kv = DType::f32})));
  const auto reference = stories260k_reference();
  ASSERT_TRUE(reference);
  auto a = new_session(*cpu), b = new_session(*model);
  const std::vector<int32_t> first{reference->greedy[0]};
  const auto got = generate(*b, request(first, 128)).ids;
  EXPECT_EQ(got, generate(*a, request(first, 128)).ids);
  EXPECT_EQ(got, std::vector(reference->greedy.begin() + 1, reference->greedy.begin() + 129));
}

// As on a GPU whose bindings are smaller than the table of embeddings, here of eight bits a value: it lies in parts.
TEST_F(StoriesGpu, ATableInPartsGivesTheSameLogits) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  const auto whole = open();
  const auto parts = open({.make_device = small_bindings(300'000)});
  ASSERT_TRUE(whole && parts);
  EXPECT_TRUE(std::ranges::any_of(parts->model().weights, [](const WeightDecl& w) {
    return w.shape.size() == 2 && layout_bytes(w.dtype, w.shape, WeightLayout::planes) > 600'000;
  }));
  const std::vector<float> wanted = all_logits(*whole, prompts_[0]), got = all_logits(*parts, prompts_[0]);
  ASSERT_EQ(wanted.size(), got.size());
  for (size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-4) << i;
  auto a = new_session(*whole), b = new_session(*parts);
  EXPECT_EQ(generate(*b, request(prompts_[0], 40)).ids, generate(*a, request(prompts_[0], 40)).ids);
}

TEST_F(StoriesGpu, AnyBurstGivesTheSameTokens) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  std::vector<std::vector<int32_t>> wanted;
  const int64_t count = slow_ ? 20 : 70;
  for (int64_t burst : {1, 3, 8, 64}) {
    const auto model = open({.burst = burst});
    ASSERT_TRUE(model);
    std::vector<std::vector<int32_t>> got;
    for (const SamplingOptions& sampling : {SamplingOptions{.temperature = 0}, kSampled}) {
      auto session = new_session(*model);
      got.push_back(generate(*session, request(prompts_[0], count, sampling)).ids);
      EXPECT_EQ(got.back().size(), static_cast<size_t>(count));
    }
    EXPECT_NE(got[0], got[1]);
    if (wanted.empty()) wanted = got;
    EXPECT_EQ(got, wanted) << "bursts of " << burst;
  }
}

TEST_F(StoriesGpu, CancelAndStopStringsInsideBursts) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  for (int64_t burst : {3, 32}) {
    if (slow_ && burst == 32) continue;
    const auto model = open({.burst = burst});
    ASSERT_TRUE(model);
    auto session = new_session(*model);
    const GenerateRequest whole_request = request(prompts_[0], 40);
    const Generated whole = generate(*session, whole_request);
    ASSERT_GT(whole.text.size(), 60u);

    CancelFlag cancel;
    GenerateRequest cancelled = whole_request;
    cancelled.cancel = &cancel;
    for (size_t at : {1, 2, 7, 33}) {
      cancel.reset();
      size_t seen = 0;
      const Generated part = generate(*session, cancelled, [&](const TokenEvent& event) {
        if (event.id != kNoToken && ++seen == at) cancel.cancel();
      });
      EXPECT_EQ(part.stop, StopReason::cancelled);
      EXPECT_EQ(part.ids, std::vector(whole.ids.begin(), whole.ids.begin() + static_cast<int64_t>(at)));
    }
    // What was computed ahead is forgotten: the conversation goes on as if it had not been.
    EXPECT_LE(session->tokens().size(), prompts_[0].size() + 33);
    EXPECT_EQ(generate(*session, whole_request).ids, whole.ids);

    int stops = 0;
    for (size_t at = 3; at + 7 < whole.text.size(); at += slow_ ? 53 : 17) {
      GenerateRequest stopping = whole_request;
      stopping.stop = {whole.text.substr(at, 7)};
      if (!valid_utf8(stopping.stop[0])) continue;
      std::string streamed;
      const Generated out = generate(*session, stopping, [&](const TokenEvent& event) { streamed += event.text; });
      EXPECT_EQ(out.stop, StopReason::stop_string);
      EXPECT_EQ(out.text, whole.text.substr(0, whole.text.find(stopping.stop[0])));
      EXPECT_EQ(streamed, out.text);
      ++stops;
      std::vector<int32_t> next = prompts_[0];  // another turn from where the stop string ended this one
      next.insert(next.end(), out.ids.begin(), out.ids.end());
      const auto rest = static_cast<int64_t>(whole.ids.size() - out.ids.size());
      if (rest == 0) continue;
      EXPECT_EQ(generate(*session, request(next, rest)).ids,
                std::vector(whole.ids.begin() + static_cast<int64_t>(out.ids.size()), whole.ids.end()));
    }
    EXPECT_GE(stops, slow_ ? 1 : 3) << "bursts of " << burst;
  }
}

// The device is lost when `lose` says so; the error has its name, later calls have it too, and a new load works.
TEST_F(StoriesGpu, ALostDeviceIsANamedErrorAndAFreshLoadWorks) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  std::vector<int32_t> prompt;
  while (prompt.size() < 40) prompt.insert(prompt.end(), prompts_[0].begin(), prompts_[0].end());
  std::vector<int32_t> wanted;
  for (const std::string_view when : {"never", "before", "prefill", "first token", "decode", "never"}) {
    if (slow_ && (when == "before" || when == "first token")) continue;
    SCOPED_TRACE(when);
    const auto model = open({.burst = 4});
    ASSERT_TRUE(model);
    auto session = new_session(*model);
    Gpu& gpu = gpu_of(*model);
    if (when == "before") gpu.lose();
    int yields = 0;
    size_t tokens = 0;
    host_.on_yield = [&] {
      if (when == "prefill" && ++yields == 2) gpu.lose();
    };
    auto out = run(session->generate(request(prompt, 24), [&](const TokenEvent&) {
      ++tokens;
      if ((when == "first token" && tokens == 1) || (when == "decode" && tokens == 10)) gpu.lose();
    }));
    host_.on_yield = nullptr;
    if (when == "never") {
      ASSERT_OK(out);
      if (wanted.empty()) wanted = out->ids;
      EXPECT_EQ(out->ids, wanted);
      continue;
    }
    EXPECT_ERROR(Code::device_lost, out);
    EXPECT_EQ(tokens == 0, when == "before" || when == "prefill");
    EXPECT_LT(tokens, 24u);
    EXPECT_ERROR(Code::device_lost, run(session->generate(request(prompts_[0], 4), {})));
    EXPECT_ERROR(Code::device_lost, run(session->generate(request(prompt, 24), {})));
    EXPECT_ERROR(Code::device_lost,
                 run(session->logits(prompts_[0], [](int64_t, std::span<const float>) { return Status{}; })));
  }
}

TEST_F(StoriesGpu, GenerationsDoNotGrow) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  const int count = std::getenv("WEFT_TEST_LONG") ? 1000 : slow_ ? 40 : 100;
  const auto model = open({.context = 64});
  ASSERT_TRUE(model);
  auto session = new_session(*model);
  int64_t before = 0;
  for (int i = 0; i < count; ++i) {
    SamplingOptions sampling = kSampled;
    sampling.seed = static_cast<uint64_t>(i);
    GenerateRequest next = request({1, 2 + i % 200}, 5 + i % 4, sampling);
    if (i % 3 == 0) next.sampling.temperature = 0;
    EXPECT_EQ(generate(*session, next).ids.size(), static_cast<size_t>(next.max_tokens));
    if (i % 10 == 0) {
      session.reset();
      session = new_session(*model);
    }
    if (i == 20) before = gpu_of(*model).bytes_in_use();
  }
  EXPECT_EQ(gpu_of(*model).bytes_in_use(), before) << count << " generations";
}

// What is said before loading is what is there, for states that are most of it.
TEST_F(StoriesGpu, MemoryIsAsForetold) {
  if (slow_gpu()) GTEST_SKIP() << "skipped: lavapipe runs this; a token takes SwiftShader a quarter of a second";
  for (int64_t slots : {1, 48}) {
    const auto model = open({.prefill_chunk = 64, .slots = slots});
    ASSERT_TRUE(model);
    const Plan* const plans[] = {&model->decode_plan(), &model->prefill_plan()};
    const MemoryUse need = memory_needed(model->model(), plans), used = model->memory();
    auto session = new_session(*model);
    generate(*session, request(prompts_[0], 8));
    const double foretold = static_cast<double>(need.weights + need.states + need.activations);
    const double counted = static_cast<double>(used.weights + used.states + used.activations);
    const double there = static_cast<double>(gpu_of(*model).bytes_in_use());
    std::printf(
        "[ figure   ] %lld slots: foretold %.2f MB (weights %.2f, states %.2f, working memory %.2f), counted %.2f"
        " MB, in buffers %.2f MB\n",
        static_cast<long long>(slots), foretold / 1e6, static_cast<double>(need.weights) / 1e6,
        static_cast<double>(need.states) / 1e6, static_cast<double>(need.activations) / 1e6, counted / 1e6,
        there / 1e6);
    EXPECT_NEAR(counted, foretold, 0.05 * foretold);
    if (slots > 1) EXPECT_NEAR(there, foretold, 0.05 * foretold);  // the small model's staging is small beside that
  }
}

}  // namespace
}  // namespace weft
