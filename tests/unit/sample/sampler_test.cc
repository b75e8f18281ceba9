#include "sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "sample/philox.h"
#include "support/support.h"

namespace weft {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingOptions plain() {  // temperature 1, everything else off
  return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0};
}
SamplingOptions greedy() { return {.temperature = 0}; }

int32_t sample_id(SamplingOptions options, std::vector<float> logits, std::vector<int32_t> seen = {},
                  std::vector<uint32_t> mask = {}) {
  Sampler sampler(options);
  sampler.accept(seen);
  auto sampled = sampler.sample(logits, mask);
  EXPECT_TRUE(sampled.has_value()) << sampled.error().message();
  return sampled ? sampled->id : -1;
}

// Which ids can come out at all: 2,000 seeds.
std::vector<int32_t> support_of(SamplingOptions options, const std::vector<float>& logits) {
  std::vector<int32_t> ids;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    options.seed = seed;
    ids.push_back(sample_id(options, logits));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// The definition written out in double with full sorts: the probability of each id.
std::vector<double> oracle(const SamplingOptions& o, const std::vector<float>& raw, const std::vector<int32_t>& seen) {
  std::vector<double> logits(raw.begin(), raw.end());
  for (auto [id, bias] : o.logit_bias) logits[id] += bias;
  const size_t window = o.penalty_last_n < 0 ? seen.size() : std::min<size_t>(seen.size(), o.penalty_last_n);
  std::map<int32_t, int> counts;
  for (size_t i = seen.size() - window; i < seen.size(); ++i) ++counts[seen[i]];
  for (auto [id, count] : counts) {
    logits[id] = logits[id] > 0 ? logits[id] / o.repeat_penalty : logits[id] * o.repeat_penalty;
    logits[id] -= static_cast<double>(o.frequency_penalty) * count + o.presence_penalty;
  }
  std::vector<int32_t> order(raw.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  if (o.top_k > 0 && static_cast<size_t>(o.top_k) < order.size()) order.resize(o.top_k);
  std::vector<double> p(raw.size(), 0.0);
  double sum = 0;
  for (int32_t id : order) sum += p[id] = std::exp((logits[id] - logits[order[0]]) / o.temperature);
  for (double& x : p) x /= sum;
  double prefix = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    prefix += p[order[i]];
    if (prefix >= o.top_p) {
      for (size_t j = i + 1; j < order.size(); ++j) p[order[j]] = 0;
      break;
    }
  }
  for (int32_t id : order)
    if (p[id] < o.min_p * p[order[0]]) p[id] = 0;
  const double rest = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= rest;
  return p;
}

TEST(Philox, KnownAnswers) {  // Random123's published vectors
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Sampler, GreedyTakesTheFirstMaximum) {
  EXPECT_EQ(sample_id(greedy(), {1, 3, 2}), 1);
  EXPECT_EQ(sample_id(greedy(), {1, 3, 3, 3}), 1);
  EXPECT_EQ(sample_id(greedy(), {-kInf, -5, -kInf}), 1);
  EXPECT_EQ(sample_id(greedy(), {kNan, -5, 2, kNan}), 2);
  std::mt19937 random(1);
  for (size_t size : {1, 15, 16, 17, 63, 64, 65, 1000}) {
    std::vector<float> logits(size);
    for (float& x : logits) x = std::floor(std::normal_distribution<float>(0, 3)(random));  // many ties
    EXPECT_EQ(sample_id(greedy(), logits), std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
}

TEST(Sampler, TopK) {
  auto options = plain();
  options.top_k = 2;
  EXPECT_EQ(support_of(options, {0, 1, 2, 1.5f}), (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(support_of(options, {1, 1, 1, 1}), (std::vector<int32_t>{0, 1}));  // ties: the lower ids
  options.top_k = 10;
  EXPECT_EQ(support_of(options, {1, 1, -kInf, 1}), (std::vector<int32_t>{0, 1, 3}));
}

TEST(Sampler, TopP) {  // shares 0.5, 0.3, 0.15, 0.05
  const std::vector<float> logits{std::log(0.15f), std::log(0.5f), std::log(0.05f), std::log(0.3f)};
  auto options = plain();
  options.top_p = 0.49f;
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{1}));
  options.top_p = 0.51f;
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{1, 3}));
  options.top_p = 0.81f;
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{0, 1, 3}));
  // After top-k 2 the shares are 0.625 and 0.375: p counts among what is left.
  options.top_k = 2;
  options.top_p = 0.6f;
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{1}));
  options.top_p = 1e-30f;  // never empty
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{1}));
}

TEST(Sampler, MinP) {
  const std::vector<float> logits{std::log(0.15f), std::log(0.5f), std::log(0.05f), std::log(0.3f)};
  auto options = plain();
  options.min_p = 0.61f;  // 0.3 / 0.5 = 0.6
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{1}));
  options.min_p = 0.59f;
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{1, 3}));
  options.min_p = 0.29f;  // 0.15 / 0.5 = 0.3
  EXPECT_EQ(support_of(options, logits), (std::vector<int32_t>{0, 1, 3}));
}

TEST(Sampler, TemperatureTendsToGreedyAndToUniform) {
  auto options = plain();
  options.temperature = 1e-42f;  // 1 / temperature is infinite
  EXPECT_EQ(support_of(options, {1, 1.001f, 1}), (std::vector<int32_t>{1}));
  options.temperature = 1e30f;
  EXPECT_EQ(support_of(options, {1, 50, 1}), (std::vector<int32_t>{0, 1, 2}));
}

TEST(Sampler, Penalties) {
  auto options = greedy();
  options.repeat_penalty = 2;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0}), 1);     // 3 / 2 < 2
  EXPECT_EQ(sample_id(options, {-3, -2, -9}, {1}), 0);  // -2 * 2 < -3
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 0}), 1);  // once, however often seen: 1.5, not 0.75
  EXPECT_EQ(sample_id(options, {3, 1.4f, 1}, {0, 0}), 0);
  options = greedy();
  options.frequency_penalty = 0.6f;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0}), 0);
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 0}), 1);  // 3 - 1.2
  options = greedy();
  options.presence_penalty = 0.9f;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 0, 0}), 0);
  options.presence_penalty = 1.1f;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0}), 1);
}

TEST(Sampler, PenaltyWindow) {
  auto options = greedy();
  options.presence_penalty = 10;
  options.penalty_last_n = 2;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 1, 2}), 0);  // 0 left the window
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 0, 1}), 2);
  options.penalty_last_n = -1;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 1, 1, 1}), 2);
  options.penalty_last_n = 0;
  EXPECT_EQ(sample_id(options, {3, 2, 1}, {0, 1}), 0);
  // Used twice, the counts are as before.
  options.penalty_last_n = 3;
  Sampler sampler(options);
  const std::vector<int32_t> seen{0, 0, 1};
  sampler.accept(seen);
  const std::vector<float> logits{3, 2, 1};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sampler.sample(logits)->id, 2);
  const std::vector<int32_t> more{2, 2, 2};
  sampler.accept(more);
  EXPECT_EQ(sampler.sample(logits)->id, 0);
}

TEST(Sampler, BiasAndMask) {
  auto options = greedy();
  options.logit_bias = {{0, -kInf}, {2, 1.5f}};
  EXPECT_EQ(sample_id(options, {9, 2, 1}), 2);
  EXPECT_EQ(sample_id(greedy(), {9, 8, 7}, {}, {0b110}), 1);
  std::vector<float> logits(100, 0.0f);
  logits[99] = 5;
  logits[3] = 4;
  EXPECT_EQ(sample_id(greedy(), logits, {}, {~0u, ~0u, ~0u, 0b0111}), 3);
  EXPECT_EQ(sample_id(greedy(), logits, {}, {~0u, ~0u, ~0u, 0b1111}), 99);
  EXPECT_EQ(support_of({.temperature = 5, .top_k = 0, .top_p = 1, .min_p = 0, .logit_bias = {{1, -kInf}}}, {1, 9, 1}),
            (std::vector<int32_t>{0, 2}));
  // The mask comes after the bias and before the penalties, and neither opens what it closed.
  options.logit_bias = {{0, 100.0f}};
  EXPECT_EQ(sample_id(options, {9, 8, 7}, {}, {0b110}), 1);
}

TEST(Sampler, NothingToChoose) {
  Sampler sampler(greedy());
  const std::vector<float> logits{1, 2}, nothing{kNan, -kInf}, infinite{1, kInf};
  const std::vector<uint32_t> none{0}, empty_word{};
  EXPECT_ERROR(Code::invalid_argument, sampler.sample(logits, none));
  EXPECT_ERROR(Code::internal, sampler.sample(nothing));
  EXPECT_ERROR(Code::internal, sampler.sample(infinite));
  const std::vector<float> many(33, 0.0f);
  EXPECT_ERROR(Code::invalid_argument, sampler.sample(many, none));  // mask too short
}

TEST(Sampler, InvalidOptions) {
  EXPECT_OK(validate({}, 100));
  const auto refused = [](auto change) {
    SamplingOptions options;
    change(options);
    EXPECT_ERROR(Code::invalid_argument, validate(options, 100));
  };
  refused([](auto& o) { o.temperature = -0.1f; });
  refused([](auto& o) { o.temperature = kNan; });
  refused([](auto& o) { o.temperature = kInf; });
  refused([](auto& o) { o.top_k = -1; });
  refused([](auto& o) { o.top_p = 0; });
  refused([](auto& o) { o.top_p = 1.01f; });
  refused([](auto& o) { o.top_p = kNan; });
  refused([](auto& o) { o.min_p = -0.1f; });
  refused([](auto& o) { o.min_p = 1; });
  refused([](auto& o) { o.repeat_penalty = 0; });
  refused([](auto& o) { o.frequency_penalty = kNan; });
  refused([](auto& o) { o.presence_penalty = kInf; });
  refused([](auto& o) { o.penalty_last_n = -2; });
  refused([](auto& o) { o.logprobs = 101; });
  refused([](auto& o) { o.logprobs = -2; });
  refused([](auto& o) { o.logit_bias = {{100, 0.0f}}; });
  refused([](auto& o) { o.logit_bias = {{-1, 0.0f}}; });
  refused([](auto& o) { o.logit_bias = {{1, kInf}}; });
  refused([](auto& o) { o.logit_bias = {{1, kNan}}; });
}

TEST(Sampler, LogprobsAreOfTheRawLogits) {
  auto options = greedy();
  options.logprobs = 2;
  options.logit_bias = {{1, -kInf}};
  Sampler sampler(options);
  const std::vector<float> logits{std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  auto sampled = sampler.sample(logits);
  ASSERT_OK(sampled);
  EXPECT_EQ(sampled->id, 2);
  EXPECT_NEAR(sampled->chosen.logprob, std::log(0.3), 1e-6);
  ASSERT_EQ(sampled->best.size(), 2u);
  EXPECT_EQ(sampled->best[0].id, 1);
  EXPECT_NEAR(sampled->best[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(sampled->best[1].id, 2);
}

TEST(Sampler, SameSeedSameTokens) {
  std::mt19937 random(3);
  std::vector<float> logits(5000);
  for (float& x : logits) x = std::normal_distribution<float>(0, 2)(random);
  Sampler a({.seed = 7}), b({.seed = 7}), c({.seed = 8});
  int differ = 0;
  for (int i = 0; i < 200; ++i) {
    const int32_t id = a.sample(logits)->id;
    EXPECT_EQ(id, b.sample(logits)->id);
    differ += id != c.sample(logits)->id;
  }
  EXPECT_GT(differ, 100);
}

// Every draw against the oracle's cumulative distribution at the same uniform number, over random options.
TEST(Sampler, DrawsFollowTheDefinition) {
  std::mt19937 random(2);
  const auto pick = [&](std::initializer_list<double> list) {
    return *(list.begin() + std::uniform_int_distribution<size_t>(0, list.size() - 1)(random));
  };
  int at_an_edge = 0;
  constexpr int kCases = 6000;
  for (int i = 0; i < kCases; ++i) {
    const size_t vocab = static_cast<size_t>(pick({2, 7, 33, 300, 1000, 3000}));
    const float spread = static_cast<float>(pick({0.1, 1, 3}));
    std::vector<float> logits(vocab);
    for (float& x : logits) x = std::normal_distribution<float>(0, spread)(random);
    SamplingOptions o{.temperature = static_cast<float>(pick({0.3, 0.8, 1, 2})),
                      .top_k = static_cast<int32_t>(pick({0, 0, 1, 5, 40, 290})),
                      .top_p = static_cast<float>(pick({1, 1, 0.3, 0.9, 0.95})),
                      .min_p = static_cast<float>(pick({0, 0, 0.05, 0.5})),
                      .seed = random()};
    std::vector<int32_t> seen;
    if (i % 3 == 0) {
      o.repeat_penalty = 1.3f, o.frequency_penalty = 0.2f, o.presence_penalty = 0.1f;
      o.penalty_last_n = static_cast<int32_t>(pick({-1, 8, 64}));
      for (int n = 0; n < 20; ++n) seen.push_back(std::uniform_int_distribution<int32_t>(0, vocab - 1)(random));
    }
    const std::vector<double> p = oracle(o, logits, seen);
    Sampler sampler(o);
    sampler.accept(seen);
    for (uint64_t n = 0; n < 3; ++n) {
      auto sampled = sampler.sample(logits);
      ASSERT_OK(sampled);
      ASSERT_GT(p[sampled->id], 0) << "case " << i << ": an id that the definition excludes";
      const double u = philox_uniform(o.seed, n);
      // Sum of what comes before the chosen id: in id order where nothing was cut, else best first.
      double before = 0;
      const bool by_id = o.top_p == 1 && o.min_p == 0 && (o.top_k == 0 || static_cast<size_t>(o.top_k) >= vocab);
      for (size_t j = 0; j < vocab; ++j) {
        const bool first = by_id ? j < static_cast<size_t>(sampled->id)
                                 : p[j] > p[sampled->id] || (p[j] == p[sampled->id] && j < size_t(sampled->id));
        if (first) before += p[j];
      }
      EXPECT_GE(u, before - 1e-5) << "case " << i;
      EXPECT_LE(u, before + p[sampled->id] + 1e-5) << "case " << i;
      at_an_edge += u < before || u > before + p[sampled->id];
    }
  }
  EXPECT_LT(at_an_edge, kCases / 100);  // the slack is for rounding at an edge, which is rare
}

TEST(Sampler, ChiSquareOverSeedsAndCounters) {
  const std::vector<double> p{0.4, 0.3, 0.15, 0.1, 0.05};
  std::vector<float> logits;
  for (double x : p) logits.push_back(std::log(static_cast<float>(x)));
  const auto chi_square = [&](const std::vector<int>& counts, int n) {
    double sum = 0;
    for (size_t i = 0; i < p.size(); ++i) sum += (counts[i] - n * p[i]) * (counts[i] - n * p[i]) / (n * p[i]);
    return sum;
  };
  constexpr int kDraws = 50000;
  std::vector<int> by_counter(p.size()), by_seed(p.size());
  Sampler one(plain());
  for (int i = 0; i < kDraws; ++i) ++by_counter[one.sample(logits)->id];
  for (int i = 0; i < kDraws; ++i) {
    auto options = plain();
    options.seed = i;
    ++by_seed[sample_id(options, logits)];
  }
  EXPECT_LT(chi_square(by_counter, kDraws), 18.5);  // 4 degrees of freedom, p = 0.001
  EXPECT_LT(chi_square(by_seed, kDraws), 18.5);
}

}  // namespace
}  // namespace weft
