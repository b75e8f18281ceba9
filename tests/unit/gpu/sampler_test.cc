// Sampling on the GPU against the host's Sampler: the same logits, options and seed must give the same token. Where a
// limit falls within the rounding of weights the two may differ; then an independent computation in double says whether
// that was so, and the test counts such cases.
#include "sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "gpu/gpu_sampler.h"
#include "sample/philox.h"
#include "support/support.h"

namespace weft {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int kIds = 16, kPositions = 17, kCells = 20;  // words of the step buffer, positions on three axes

class SamplerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND(gpu_, test::run(open_gpu(host_, {.robust = true})));
    pipelines_.emplace(*gpu_);
    ASSERT_OK_AND(step_, test::run(gpu_->create_buffer(256, "step")));
  }

  void make(int64_t vocab, int64_t context = 4096) {
    vocab_ = vocab;
    sampler_.reset();
    gpu_->destroy(logits_);
    ASSERT_OK_AND(logits_, test::run(gpu_->create_buffer(4 * vocab, "logits")));
    const SamplerTarget target{
        .step = {step_, 0, 256}, .ids = kIds, .positions = kPositions, .cells = kCells, .position_axes = 3};
    ASSERT_OK_AND(sampler_, test::run(GpuSampler::create(*gpu_, *pipelines_, vocab, context, target)));
  }

  // Samples `steps` tokens from the same logits without the host in between.
  void submit(std::span<const float> logits, int steps = 1, bool advance = true) {
    ASSERT_OK(gpu_->write(logits_, 0, std::as_bytes(logits)));
    commands_.clear();
    for (int i = 0; i < steps; ++i) ASSERT_OK(sampler_->encode(commands_, {logits_, 0, 4 * vocab_}, advance));
    ASSERT_OK(gpu_->submit(commands_));
  }
  std::vector<LoopToken> read(size_t count) {
    std::vector<LoopToken> tokens(count);
    const Status done = test::run(sampler_->read(tokens));
    EXPECT_TRUE(done.has_value()) << done.error().message();
    return tokens;
  }
  std::vector<int32_t> step_words() {
    std::vector<int32_t> words(64);
    const Status done = test::run(gpu_->read(step_, 0, std::as_writable_bytes(std::span(words))));
    EXPECT_TRUE(done.has_value()) << done.error().message();
    return words;
  }

  test::TestHost host_;
  std::unique_ptr<Gpu> gpu_;
  std::optional<GpuPipelines> pipelines_;
  GpuBuffer step_ = GpuBuffer::none, logits_ = GpuBuffer::none;
  std::unique_ptr<GpuSampler> sampler_;
  GpuCommands commands_;
  int64_t vocab_ = 0;
};

LoopSampling loop_sampling(const SamplingOptions& o, std::span<const int32_t> history = {}) {
  return {.temperature = o.temperature,
          .top_k = o.top_k,
          .top_p = o.top_p,
          .min_p = o.min_p,
          .repeat_penalty = o.repeat_penalty,
          .frequency_penalty = o.frequency_penalty,
          .presence_penalty = o.presence_penalty,
          .penalty_last_n = o.penalty_last_n,
          .seed = o.seed,
          .logprobs = o.logprobs,
          .logit_bias = o.logit_bias,
          .history = history};
}

std::string to_text(const SamplingOptions& o) {
  return "temperature " + std::to_string(o.temperature) + " top_k " + std::to_string(o.top_k) + " top_p " +
         std::to_string(o.top_p) + " min_p " + std::to_string(o.min_p) + " seed " + std::to_string(o.seed);
}

// Whether `id` could be drawn if every weight were off by a millionth: straight from the definition, in double.
bool within_rounding(std::span<const float> logits, const SamplingOptions& o, uint64_t number, int32_t id) {
  constexpr double kSlack = 2e-6;
  std::vector<std::pair<double, int32_t>> order;
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > -kInfinity) order.emplace_back(logits[i], static_cast<int32_t>(i));
  const bool ranked = (o.top_k > 0 && o.top_k < static_cast<int64_t>(logits.size())) || o.top_p < 1 || o.min_p > 0;
  const double top = std::max_element(order.begin(), order.end())->first;
  if (ranked)
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (o.top_k > 0 && o.top_k < static_cast<int64_t>(order.size())) order.resize(static_cast<size_t>(o.top_k));
  std::vector<double> sums;
  double sum = 0;
  for (const auto& [logit, token] : order) sums.push_back(sum += std::exp((logit - top) / o.temperature));
  std::vector<double> kept;  // possible sums of what is kept
  for (size_t i = 0; i < order.size(); ++i) {
    const double weight = std::exp((order[i].first - top) / o.temperature);
    const double before = i > 0 ? sums[i - 1] : 0;
    const bool last = i + 1 == order.size();
    const double next = last ? 0 : std::exp((order[i + 1].first - top) / o.temperature);
    if (ranked && i > 0 && weight < o.min_p * (1 - kSlack)) break;
    if (o.top_p < 1 && before > o.top_p * sum + kSlack * sum) break;
    const bool ends =
        last || (ranked && next < o.min_p * (1 + kSlack)) || (o.top_p < 1 && sums[i] >= o.top_p * sum - kSlack * sum);
    if (ends) kept.push_back(sums[i]);
  }
  const double u = philox_uniform(o.seed, number);
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i].second != id) continue;
    for (double total : kept)
      if (u * total >= (i > 0 ? sums[i - 1] : 0) - kSlack * total && u * total <= sums[i] + kSlack * total) return true;
  }
  return false;
}

// Logits of several kinds, the same for the same number.
std::vector<float> make_logits(int64_t vocab, int kind, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> logits(static_cast<size_t>(vocab));
  for (float& logit : logits) {
    const float x = normal(random);
    switch (kind) {
      case 0:  // like a model's
        logit = 3 * x - 2;
        break;
      case 1:  // peaked
        logit = 12 * x;
        break;
      case 2:  // flat but for the last bits
        logit = 10 + 1e-5f * x;
        break;
      case 3:  // hundreds of ties
        logit = std::round(2 * x) / 2;
        break;
      case 4:  // all equal
        logit = -7;
        break;
      case 5:  // around 0, where floats are dense, both zeros among them
        logit = std::abs(x) < 0.2f ? std::copysign(0.0f, x) : x * 1e-3f;
        break;
      default:  // with what no model should give
        logit = std::abs(x) > 2 ? kNan : std::abs(x) > 1.5f ? -kInfinity : 4 * x;
    }
  }
  if (kind >= 6) logits[logits.size() / 2] = 1;  // one is a number
  return logits;
}
constexpr int kKinds = 7;

TEST_F(SamplerTest, GreedyTakesTheFirstBest) {
  for (int64_t vocab : {1, 31, 256, 260, 49152, 262144}) {
    make(vocab);
    for (int kind = 0; kind < kKinds; ++kind) {
      const auto logits = make_logits(vocab, kind, 7);
      Sampler host({.temperature = 0});
      ASSERT_OK_AND(Sampled want, host.sample(logits));
      ASSERT_OK(sampler_->start({}));
      EXPECT_EQ(sampler_->encoded_dispatches(), 2);
      submit(logits);
      EXPECT_EQ(read(1)[0].id, want.id) << vocab << " " << kind;
    }
  }
}

TEST_F(SamplerTest, DrawsWhatTheHostDraws) {
  int compared = 0, rounding = 0;
  const int slow = gpu_->info().f16 ? 1 : 4;  // SwiftShader
  for (int64_t vocab : {1, 31, 260, 49152, 262144}) {
    make(vocab);
    for (int kind = 0; kind < kKinds; ++kind) {
      const auto logits = make_logits(vocab, kind, 11);
      int combination = 0;
      for (float temperature : {0.7f, 1.0f, 3.0f})
        for (int32_t top_k : {0, 1, 40, 2000})
          for (float top_p : {1.0f, 0.95f, 0.3f})
            for (float min_p : {0.0f, 0.05f}) {
              // A draw takes software GPUs a tenth of a second and more: each kind takes another part of the
              // combinations.
              const int parts = vocab > 100000 ? 36 : vocab > 1000 ? 24 : vocab > 1 ? 2 : 9;
              if ((combination++ + kind) % (parts * slow) != 0) continue;
              const SamplingOptions options{.temperature = temperature,
                                            .top_k = top_k,
                                            .top_p = top_p,
                                            .min_p = min_p,
                                            .seed = 1234567890123u + static_cast<uint64_t>(kind)};
              const int draws = vocab > 1000 ? 2 : 4;
              Sampler host(options);
              ASSERT_OK(sampler_->start(loop_sampling(options)));
              submit(logits, draws);
              const auto tokens = read(static_cast<size_t>(draws));
              for (int n = 0; n < draws; ++n, ++compared) {
                ASSERT_OK_AND(Sampled want, host.sample(logits));
                if (n == 0) EXPECT_TRUE(within_rounding(logits, options, 0, want.id)) << to_text(options);
                if (tokens[n].id == want.id) continue;
                ++rounding;
                ASSERT_TRUE(within_rounding(logits, options, static_cast<uint64_t>(n), tokens[n].id))
                    << "vocabulary " << vocab << " kind " << kind << " draw " << n << ": " << tokens[n].id << ", host "
                    << want.id << "; " << to_text(options);
              }
            }
    }
  }
  std::printf("%d draws, %d of them differ within rounding\n", compared, rounding);
  EXPECT_LE(rounding * 200, compared);
}

TEST(SamplerOracle, RefusesOtherTokens) {
  const auto logits = make_logits(1000, 0, 11);
  const SamplingOptions options{.temperature = 1, .seed = 8};
  Sampler host(options);
  for (uint64_t n = 0; n < 50; ++n) {
    auto drawn = host.sample(logits);
    ASSERT_OK(drawn);
    int possible = 0;
    for (int32_t id = 0; id < 1000; ++id) possible += within_rounding(logits, options, n, id);
    EXPECT_EQ(possible, 1);
    EXPECT_TRUE(within_rounding(logits, options, n, drawn->id));
  }
}

TEST_F(SamplerTest, EqualSharesOfTopPAreExact) {
  make(4);
  // Sums of powers of two are exact on both sides: the second token reaches exactly half and ends the nucleus.
  const std::vector<float> logits(4, 1.5f);
  const SamplingOptions options{.temperature = 1, .top_k = 0, .top_p = 0.5f, .min_p = 0, .seed = 5};
  ASSERT_OK(sampler_->start(loop_sampling(options)));
  submit(logits, 200);
  Sampler host(options);
  for (const LoopToken& token : read(200)) {
    ASSERT_OK_AND(Sampled want, host.sample(logits));
    EXPECT_EQ(token.id, want.id);
    EXPECT_LT(token.id, 2);
  }
}

TEST_F(SamplerTest, PenaltiesLookBackOnPromptAndAnswer) {
  for (int64_t vocab : {31, 5000}) {
    if (vocab > 31 && !gpu_->info().f16) continue;  // slow on SwiftShader, and nothing new
    make(vocab, 300);
    std::vector<int32_t> prompt;
    for (int i = 0; i < 50; ++i) prompt.push_back(static_cast<int32_t>((i * i) % vocab));
    for (int32_t last_n : {-1, 0, 1, 7, 64, 100, 100000})
      for (float temperature : {0.0f, 0.9f}) {
        const SamplingOptions options{.temperature = temperature,
                                      .top_k = 20,
                                      .min_p = 0,
                                      .repeat_penalty = 1.25f,
                                      .frequency_penalty = 0.125f,
                                      .presence_penalty = 0.25f,
                                      .penalty_last_n = last_n,
                                      .seed = 99};
        Sampler host(options);
        host.accept(prompt);
        ASSERT_OK(sampler_->start(loop_sampling(options, prompt)));
        const auto logits = make_logits(vocab, 0, 3);
        submit(logits, 120);
        const auto tokens = read(120);
        for (int n = 0; n < 120; ++n) {
          ASSERT_OK_AND(Sampled want, host.sample(logits));
          ASSERT_EQ(tokens[n].id, want.id) << "token " << n << " last_n " << last_n << " temperature " << temperature;
          host.accept({&want.id, 1});
        }
      }
  }
}

TEST_F(SamplerTest, BiasAddsAndForbids) {
  make(300);
  auto logits = make_logits(300, 0, 5);
  logits[17] = 30;
  logits[18] = kNan;
  SamplingOptions options{.temperature = 0, .logit_bias = {{17, -kInfinity}, {18, 3}, {200, 50}, {200, -10}}};
  ASSERT_OK(sampler_->start(loop_sampling(options)));
  submit(logits);
  EXPECT_EQ(read(1)[0].id, 200);
  options.logit_bias = {{17, -kInfinity}};
  options.temperature = 1.5f;
  Sampler host(options);
  ASSERT_OK(sampler_->start(loop_sampling(options)));  // the bias of before is gone
  submit(logits, 20);
  for (const LoopToken& token : read(20)) {
    ASSERT_OK_AND(Sampled want, host.sample(logits));
    EXPECT_EQ(token.id, want.id);
  }
  ASSERT_OK(sampler_->start({}));
  submit(logits);
  EXPECT_EQ(read(1)[0].id, 17);
}

TEST_F(SamplerTest, NoTokenIsANamedError) {
  make(300);
  std::vector<LoopToken> token(1);
  for (float temperature : {0.0f, 1.0f}) {
    ASSERT_OK(sampler_->start({.temperature = temperature}));
    for (float bad : {kNan, -kInfinity}) {
      submit(std::vector<float>(300, bad));
      EXPECT_ERROR(Code::internal, test::run(sampler_->read(token)));
      EXPECT_EQ(step_words()[kIds], 0);
    }
    std::vector<float> logits(300, 1);
    logits[7] = kInfinity;
    submit(logits);
    EXPECT_ERROR(Code::internal, test::run(sampler_->read(token)));
    std::vector<std::pair<int32_t, float>> forbidden;
    for (int32_t i = 0; i < 300; ++i) forbidden.emplace_back(i, -kInfinity);
    ASSERT_OK(sampler_->start({.temperature = temperature, .logit_bias = forbidden}));
    submit(std::vector<float>(300, 1));
    EXPECT_ERROR(Code::invalid_argument, test::run(sampler_->read(token)));
  }
}

TEST_F(SamplerTest, SeedsAndNumbersOfDraws) {
  make(1000);
  const std::vector<float> logits(1000, 0.5f);
  const auto draw = [&](uint64_t seed, uint64_t first, int count) {
    EXPECT_OK(sampler_->start({.temperature = 1, .seed = seed, .first_draw = first}));
    submit(logits, count);
    std::vector<int32_t> ids;
    for (const LoopToken& token : read(static_cast<size_t>(count))) ids.push_back(token.id);
    return ids;
  };
  const auto all = draw(0xFEDCBA9876543210, 0xFFFFFFFD, 8);  // the number's low word overflows
  for (int n = 0; n < 8; ++n)
    EXPECT_EQ(all[n], static_cast<int32_t>(philox_uniform(0xFEDCBA9876543210, 0xFFFFFFFDu + uint64_t(n)) * 1000));
  EXPECT_EQ(draw(0xFEDCBA9876543210, 0xFFFFFFFD + uint64_t{5}, 3), std::vector<int32_t>(all.begin() + 5, all.end()));
  EXPECT_NE(draw(0xFEDCBA9876543211, 0xFFFFFFFD, 8), all);
}

// The shares of many draws are those of the distribution: chi-square at a millionth.
TEST_F(SamplerTest, SharesOfManyDraws) {
  constexpr int kTokens = 12, kDraws = 1000;
  make(kTokens);
  std::vector<float> logits;
  for (int i = 0; i < kTokens; ++i) logits.push_back(0.25f * static_cast<float>((i * 5) % kTokens));
  for (const SamplingOptions& options : {SamplingOptions{.temperature = 0.8f, .top_k = 0, .top_p = 1, .min_p = 0},
                                         SamplingOptions{.temperature = 0.8f, .top_k = 7, .top_p = 1, .min_p = 0},
                                         SamplingOptions{.temperature = 0.8f, .top_k = 0, .top_p = 0.8f, .min_p = 0},
                                         SamplingOptions{.temperature = 0.8f, .top_k = 0, .top_p = 1, .min_p = 0.2f}}) {
    std::vector<int> order(kTokens);
    for (int i = 0; i < kTokens; ++i) order[i] = i;
    std::ranges::sort(order, [&](int a, int b) { return logits[a] > logits[b]; });
    const auto weight = [&](int id) { return std::exp((logits[id] - logits[order[0]]) / 0.8); };
    double all = 0, sum = 0;
    for (int id : order) all += weight(id);
    std::vector<double> share(kTokens);
    for (int rank = 0; rank < kTokens; ++rank) {
      const int id = order[rank];
      if (options.top_k > 0 && rank >= options.top_k) break;
      if (sum >= options.top_p * all || weight(id) < options.min_p) break;
      sum += share[id] = weight(id);
    }
    std::vector<int> seen(kTokens);
    ASSERT_OK(sampler_->start(loop_sampling(options)));
    for (int n = 0; n < kDraws; n += 250) {
      submit(logits, 250);
      for (const LoopToken& token : read(250)) ++seen[token.id];
    }
    double chi = 0;
    for (int id = 0; id < kTokens; ++id) {
      if (share[id] == 0) {
        EXPECT_EQ(seen[id], 0);
        continue;
      }
      const double expected = kDraws * share[id] / sum;
      chi += (seen[id] - expected) * (seen[id] - expected) / expected;
    }
    EXPECT_LT(chi, 48);  // 11 degrees of freedom: above it once in a million
  }
}

TEST_F(SamplerTest, Logprobs) {
  for (int64_t vocab : {1, 31, 260, 49152, 262144}) {
    make(vocab);
    for (int kind = 0; kind < kKinds; ++kind) {
      const auto logits = make_logits(vocab, kind, 21);
      for (int32_t count : {0, 1, 20}) {
        if (vocab > 1000 && count < 20) continue;
        const SamplingOptions options{.temperature = kind % 2 ? 1.0f : 0.0f,
                                      .min_p = 0.1f,
                                      .repeat_penalty = 2,  // logprobs are of the raw logits
                                      .seed = 3,
                                      .logprobs = static_cast<int32_t>(std::min<int64_t>(count, vocab))};
        Sampler host(options);
        ASSERT_OK(sampler_->start(loop_sampling(options)));
        submit(logits, 2);
        for (const LoopToken& token : read(2)) {
          ASSERT_OK_AND(Sampled want, host.sample(logits));
          host.accept({&want.id, 1});
          ASSERT_EQ(token.id, want.id) << vocab << " " << kind;
          EXPECT_NEAR(token.logprob, want.chosen.logprob, 1e-4);
          for (size_t i = 0; i < want.best.size(); ++i) {
            ASSERT_EQ(token.best_ids[i], want.best[i].id) << vocab << " " << kind << " " << i;
            if (want.best[i].logprob == -kInfinity) {
              EXPECT_EQ(token.best[i], -kInfinity);
            } else {
              EXPECT_NEAR(token.best[i], want.best[i].logprob, 1e-4);
            }
          }
          if (want.best.size() < kMaxLoopLogprobs) EXPECT_EQ(token.best_ids[want.best.size()], -1);
        }
      }
    }
  }
}

TEST_F(SamplerTest, WritesTheStepBuffer) {
  make(40);
  std::vector<int32_t> words(64, 100);
  ASSERT_OK(gpu_->write(step_, 0, std::as_bytes(std::span(words))));
  std::vector<float> logits(40);
  logits[23] = 4;
  ASSERT_OK(sampler_->start({}));
  submit(logits, 1, false);
  words[kIds] = 23;
  EXPECT_EQ(step_words(), words);
  submit(logits, 3, true);
  for (int word : {kPositions, kPositions + 1, kPositions + 2, kCells, kLengthWord}) words[word] = 103;
  EXPECT_EQ(step_words(), words);
}

// Reads of any sizes, begun early or not, around the end of the ring; runs that end with tokens unread.
TEST_F(SamplerTest, ReadsBehind) {
  make(50);
  const std::vector<float> logits(50, 1);
  for (int run = 0; run < 3; ++run) {
    const uint64_t seed = 40 + static_cast<uint64_t>(run);
    ASSERT_OK(sampler_->start({.temperature = 1, .seed = seed}));
    uint64_t number = 0, submitted = 0;
    const auto take = [&](size_t count) {
      for (const LoopToken& token : read(count))
        ASSERT_EQ(token.id, static_cast<int32_t>(philox_uniform(seed, number++) * 50)) << number;
    };
    for (int burst : {1, 8, 8, 200, 63, 300, 7}) {
      submit(logits, burst);
      submitted += static_cast<uint64_t>(burst);
      if (burst != 63) ASSERT_OK(sampler_->begin_read(burst));
      if (burst != 8) take(static_cast<size_t>(burst / 2));
    }
    take(submitted - number - 5);
    EXPECT_ERROR(Code::invalid_argument, sampler_->begin_read(6));
  }
  commands_.clear();
  for (int i = 0; i < TokenLoop::kMaxAhead - 5; ++i) ASSERT_OK(sampler_->encode(commands_, {logits_, 0, 200}, true));
  EXPECT_ERROR(Code::invalid_argument, sampler_->encode(commands_, {logits_, 0, 200}, true));
  EXPECT_ERROR(Code::invalid_argument, sampler_->encode(commands_, {step_, 0, 100}, true));
  EXPECT_ERROR(Code::unsupported, sampler_->start({.logprobs = 21}));
}

TEST_F(SamplerTest, ALostDeviceIsReported) {
  make(50);
  ASSERT_OK(sampler_->start({}));
  submit(std::vector<float>(50, 1));
  ASSERT_OK(sampler_->begin_read(1));
  gpu_->lose();
  std::vector<LoopToken> token(1);
  EXPECT_ERROR(Code::device_lost, test::run(sampler_->read(token)));
  EXPECT_ERROR(Code::device_lost, sampler_->start({}));
}

}  // namespace
}  // namespace weft
