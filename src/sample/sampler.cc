#include "sample/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "base/check.h"
#include "sample/philox.h"
#include "sample/softmax.h"

#pragma STDC FP_CONTRACT OFF

namespace weft {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

// Best first; of equal logits the lower id. Total, so that every selection is unique.
bool better(const std::pair<float, int32_t>& a, const std::pair<float, int32_t>& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

}  // namespace

Sampler::Sampler(SamplingOptions options) : options_(std::move(options)) {}

bool Sampler::penalizes() const {
  return options_.penalty_last_n != 0 &&
         (options_.repeat_penalty != 1 || options_.frequency_penalty != 0 || options_.presence_penalty != 0);
}

void Sampler::accept(std::span<const int32_t> ids) {
  if (!penalizes()) return;
  const size_t window = options_.penalty_last_n < 0 ? SIZE_MAX : static_cast<size_t>(options_.penalty_last_n);
  for (int32_t id : ids) {
    CHECK(id >= 0);
    if (static_cast<size_t>(id) >= counts_.size()) counts_.resize(static_cast<size_t>(id) + 1);
    ++counts_[id];
    if (history_.size() < window) {
      history_.push_back(id);
    } else {
      --counts_[history_[oldest_]];
      history_[oldest_] = id;
      oldest_ = (oldest_ + 1) % window;
    }
  }
}

void Sampler::apply_penalties(std::span<float> logits) {
  // A token is penalised where it is met first; the sign of its count marks that until the second loop.
  for (int32_t id : history_) {
    const int32_t count = counts_[id];
    if (count <= 0) continue;
    counts_[id] = -count;
    if (static_cast<size_t>(id) >= logits.size()) continue;
    float& logit = logits[id];
    logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    logit -= options_.frequency_penalty * static_cast<float>(count) + options_.presence_penalty;
  }
  for (int32_t id : history_) counts_[id] = std::abs(counts_[id]);
}

Result<Sampled> Sampler::sample(std::span<const float> logits, std::span<const uint32_t> mask) {
  if (!mask.empty() && mask.size() < (logits.size() + 31) / 32)
    return fail(Code::invalid_argument, "sampling", "token mask", std::to_string((logits.size() + 31) / 32) + " words",
                std::to_string(mask.size()));

  std::span<const float> scores = logits;
  if (!options_.logit_bias.empty() || !mask.empty() || !history_.empty()) {
    work_.assign(logits.begin(), logits.end());
    for (const auto& [id, bias] : options_.logit_bias)
      if (static_cast<size_t>(id) < work_.size()) work_[id] += bias;
    for (size_t i = 0; i < work_.size() && !mask.empty(); i += 32) {
      const uint32_t allowed = mask[i / 32];
      if (allowed == ~uint32_t{0}) continue;
      for (size_t k = i; k < std::min(i + 32, work_.size()); ++k)
        if (!(allowed >> (k - i) & 1)) work_[k] = kForbidden;
    }
    apply_penalties(work_);
    scores = work_;
  }

  const float top = max_of(scores);
  if (!(top > kForbidden) || std::isinf(top)) {
    const float raw = max_of(logits);
    if (raw == kForbidden || std::isinf(raw))
      return fail(Code::internal, "sampling", "logits", "finite numbers", "none or an infinity",
                  "the model's weights or a kernel produced NaN or infinities");
    return fail(Code::invalid_argument, "sampling", "tokens allowed by mask and bias", "at least one", "none");
  }

  Sampled sampled;
  sampled.id = options_.temperature == 0 ? static_cast<int32_t>(find_first(scores, top)) : draw(scores, top);
  if (options_.logprobs >= 0) logprobs(logits, sampled);
  return sampled;
}

// Leaves in candidates_ the `count` best of the logits >= at_least, sorted. The buffer grows to twice the count and is
// then cut back, which raises the bar for what follows: one pass, and few elements ever get past the comparison.
void Sampler::select_best(std::span<const float> logits, size_t count, float at_least) {
  count = std::min(count, logits.size());
  const size_t room = std::min(logits.size(), std::max<size_t>(2 * count, 256));
  candidates_.clear();
  candidates_.reserve(room);
  constexpr size_t kBlock = 32;  // a block is tested as a whole first, which vectorises
  bool strict = false;           // after a cut an equal logit loses: its id is higher than those kept
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, logits.size());
    int hits = 0;
    for (size_t i = begin; i < end; ++i) hits |= logits[i] >= at_least;
    if (!hits) continue;
    for (size_t i = begin; i < end; ++i) {
      if (!(strict ? logits[i] > at_least : logits[i] >= at_least)) continue;
      if (candidates_.size() == room) {
        std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end(), better);
        candidates_.resize(count);
        at_least = candidates_.back().first;
        strict = true;
        if (!(logits[i] > at_least)) continue;
      }
      candidates_.emplace_back(logits[i], static_cast<int32_t>(i));
    }
  }
  if (candidates_.size() > count) {
    std::nth_element(candidates_.begin(), candidates_.begin() + count, candidates_.end(), better);
    candidates_.resize(count);
  }
  std::sort(candidates_.begin(), candidates_.end(), better);
}

int32_t Sampler::draw(std::span<const float> logits, float top) {
  const double uniform = philox_uniform(options_.seed, counter_++);
  const float scale = std::min(1 / options_.temperature, std::numeric_limits<float>::max());
  const auto weight_of = [&](float logit) { return exp_negative((logit - top) * scale); };
  const size_t all = logits.size();
  const size_t k = options_.top_k == 0 ? all : std::min<size_t>(options_.top_k, all);
  const bool nucleus = options_.top_p < 1;

  if (k == all && !nucleus && options_.min_p == 0) {
    weights_.resize(all);
    const double target = uniform * exp_into(logits, top, scale, weights_);
    // In id order: sums of sixteen find the stretch, then the token in it. Rounding may leave the target above it all.
    constexpr size_t kStretch = 16;
    double before = 0;
    size_t last = find_first(logits, top);
    for (size_t begin = 0; begin < all; begin += kStretch) {
      const size_t end = std::min(begin + kStretch, all);
      std::array<float, kStretch> part{};
      std::copy(weights_.begin() + begin, weights_.begin() + end, part.begin());
      for (size_t width = kStretch / 2; width > 0; width /= 2)
        for (size_t i = 0; i < width; ++i) part[i] += part[i + width];
      if (!(before + part[0] > target)) {
        before += part[0];
        continue;
      }
      for (size_t i = begin; i < end; ++i) {
        if (!(weights_[i] > 0)) continue;
        last = i;
        before += weights_[i];
        if (before > target) break;
      }
      break;
    }
    return static_cast<int32_t>(last);
  }

  // Each of the three keeps a prefix of the same order, so the shortest prefix is the answer. min-p as a bound on
  // logits is only a first cut (rounded outwards); the exact test is on weights below.
  float at_least = -std::numeric_limits<float>::max();
  if (options_.min_p > 0)
    at_least = top + (std::log(options_.min_p) - 1e-3f) * options_.temperature - 1e-6f * std::abs(top);
  at_least = std::max(at_least, -std::numeric_limits<float>::max());
  if (k < all) {
    // With top-p its share is of all k, so min-p may not cut before the sum is taken.
    select_best(logits, k, nucleus ? -std::numeric_limits<float>::max() : at_least);
  }
  double total = 0;  // of what top-k left
  if (nucleus) {
    if (k == all) {
      total = exp_into(logits, top, scale, {});
    } else {
      for (const Candidate& c : candidates_) total += weight_of(c.first);
    }
  }
  const double wanted = options_.top_p * total;
  const auto cut = [&](bool complete) -> std::pair<size_t, double> {  // kept, their sum; 0: more candidates needed
    double sum = 0;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const float weight = weight_of(candidates_[i].first);
      if (i > 0 && (weight < options_.min_p || weight == 0)) return {i, sum};
      sum += weight;
      if (nucleus && sum >= wanted) return {i + 1, sum};
    }
    return complete ? std::pair(candidates_.size(), sum) : std::pair<size_t, double>(0, 0);
  };
  std::pair<size_t, double> kept{0, 0};
  if (k < all) {
    kept = cut(true);
  } else {
    constexpr size_t kFew = 256;  // enough for most distributions
    select_best(logits, kFew, at_least);
    kept = cut(candidates_.size() < kFew);
    if (kept.first == 0) return draw_among_many(logits, top, scale, uniform);
  }

  const double target = uniform * kept.second;
  double sum = 0;
  for (size_t i = 0; i + 1 < kept.first; ++i) {
    sum += weight_of(candidates_[i].first);
    if (sum > target) return candidates_[i].second;
  }
  return candidates_[kept.first - 1].second;
}

// The same cut and draw where hundreds or more tokens are kept. Tokens are counted into buckets of falling logit, and
// only the bucket in which the cut or the draw lies is put in order: a sort of all would take a hundred times as long.
int32_t Sampler::draw_among_many(std::span<const float> logits, float top, float scale, double uniform) {
  constexpr int kPerNat = 64;
  constexpr int kBuckets = 88 * kPerNat;  // weights end at e^-87
  weights_.resize(logits.size());
  const double total = exp_into(logits, top, scale, weights_);
  const auto bucket_of = [&](size_t i) {
    return std::min(static_cast<int>((top - logits[i]) * scale * kPerNat), kBuckets - 1);
  };
  const auto eligible = [&](size_t i) { return weights_[i] > 0 && weights_[i] >= options_.min_p; };
  buckets_.assign(kBuckets, 0.0);
  for (size_t i = 0; i < logits.size(); ++i)
    if (eligible(i)) buckets_[bucket_of(i)] += weights_[i];

  // Walks best first to where the sum exceeds `limit`, or reaches it if `inclusive`; the bucket there is left sorted in
  // candidates_. Returns the position in it and the sum up to and with it; past the end where the limit is not met.
  struct Place {
    int bucket;
    size_t position;
    double sum;
  };
  const auto walk = [&](double limit, bool inclusive) -> Place {
    const auto met = [&](double sum) { return inclusive ? sum >= limit : sum > limit; };
    double before = 0;
    int bucket = 0, last = 0;
    for (; bucket < kBuckets && !met(before + buckets_[bucket]); before += buckets_[bucket++])
      if (buckets_[bucket] > 0) last = bucket;
    if (bucket == kBuckets) {  // never met: the end of the last bucket with anything in it
      bucket = last;
      before -= buckets_[last];
    }
    candidates_.clear();
    for (size_t i = 0; i < logits.size(); ++i)
      if (eligible(i) && bucket_of(i) == bucket) candidates_.emplace_back(logits[i], static_cast<int32_t>(i));
    std::sort(candidates_.begin(), candidates_.end(), better);
    for (size_t at = 0; at < candidates_.size(); ++at) {
      before += weights_[candidates_[at].second];
      if (met(before)) return {bucket, at, before};
    }
    return {bucket, candidates_.size() - 1, before};
  };
  const Place cut = walk(options_.top_p < 1 ? options_.top_p * total : 2 * total, true);
  const Place drawn = walk(uniform * cut.sum, false);
  if (drawn.bucket > cut.bucket || (drawn.bucket == cut.bucket && drawn.position > cut.position)) {
    walk(options_.top_p < 1 ? options_.top_p * total : 2 * total, true);  // rounding: the last one kept
    return candidates_[cut.position].second;
  }
  return candidates_[drawn.position].second;
}

void Sampler::logprobs(std::span<const float> logits, Sampled& sampled) {
  const float top = max_of(logits);
  const double log_sum = std::log(exp_into(logits, top, 1, {}));
  const auto logprob = [&](float logit) { return static_cast<float>(static_cast<double>(logit) - top - log_sum); };
  sampled.chosen = {sampled.id, logprob(logits[sampled.id])};
  if (options_.logprobs == 0) return;
  select_best(logits, options_.logprobs, kForbidden);
  sampled.best.reserve(candidates_.size());
  for (const auto& [logit, id] : candidates_) sampled.best.push_back({id, logprob(logit)});
}

}  // namespace weft
