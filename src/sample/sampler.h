// From logits to the next token. Order of steps (stated because it changes results): logit bias, token bitmask,
// repetition / frequency / presence penalties, then greedy if temperature == 0, else temperature, top-k, top-p, min-p
// and one draw. Same seed and same logits give the same tokens on every host.
//
//   Sampler sampler(options);                             // after validate(options, vocab_size)
//   sampler.accept(prompt_ids);
//   WEFT_TRY(Sampled next, sampler.sample(logits));       // and accept({next.id}) once it is kept
//
// top-k keeps the k best (of equal ones those with the lower id). top-p then keeps the shortest prefix, best first, of
// what top-k left whose share of that rest reaches p. min-p keeps what has at least that share of the best one's
// probability. The draw is number n of Philox4x32-10 keyed with the seed (philox.h), n counting from 0.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"

namespace weft {

struct SamplingOptions {
  float temperature = 0.8f;     // >= 0; 0: greedy (first of equal maxima)
  int32_t top_k = 40;           // 0: off
  float top_p = 0.95f;          // (0, 1]; 1: off. Holtzman et al. 2020
  float min_p = 0.05f;          // [0, 1); 0: off. Share of the best probability. Nguyen et al. 2024
  float repeat_penalty = 1.0f;  // > 0; logits of seen tokens divided (if positive) or multiplied. Keskar et al. 2019
  float frequency_penalty = 0;  // subtracted times the count of the token
  float presence_penalty = 0;   // subtracted once if the token was seen
  int32_t penalty_last_n = 64;  // tokens looked back on; 0: none, -1: all
  std::vector<std::pair<int32_t, float>> logit_bias;  // added; -inf forbids
  uint64_t seed = 0;      // 0 is a seed like any other; the host chooses a random one where the user gave none
  int32_t logprobs = -1;  // -1: none; n >= 0: of the chosen token and the n best
};

// invalid_argument names the option, its range and its value.
Status validate(const SamplingOptions& options, int64_t vocab_size);

struct Logprob {
  int32_t id = 0;
  float logprob = 0;  // natural log of the softmax of the raw logits (before bias, penalties, temperature)
};

struct Sampled {
  int32_t id = 0;
  Logprob chosen;             // when logprobs >= 0
  std::vector<Logprob> best;  // `logprobs` best, descending
};

class Sampler {
 public:
  explicit Sampler(SamplingOptions options);
  void accept(std::span<const int32_t> ids);  // tokens that penalties look back on
  // `mask`: bit i of mask[i / 32] allows token i; empty allows all. invalid_argument if the mask is too short or if
  // bias and mask forbid every token; internal if the logits hold no number. NaN is never chosen. Buffers are kept:
  // after the first call nothing is allocated (but `best`).
  Result<Sampled> sample(std::span<const float> logits, std::span<const uint32_t> mask = {});

 private:
  using Candidate = std::pair<float, int32_t>;  // logit, id

  bool penalizes() const;
  void apply_penalties(std::span<float> logits);
  int32_t draw(std::span<const float> logits, float top);
  int32_t draw_among_many(std::span<const float> logits, float top, float scale, double uniform);
  void select_best(std::span<const float> logits, size_t count, float at_least);
  void logprobs(std::span<const float> logits, Sampled& sampled);

  SamplingOptions options_;
  std::vector<int32_t> history_;  // the last penalty_last_n tokens (a ring once full), or all
  size_t oldest_ = 0;
  std::vector<int32_t> counts_;  // of history_, by id
  std::vector<float> work_;      // logits after bias, mask and penalties
  std::vector<float> weights_;
  std::vector<double> buckets_;
  std::vector<Candidate> candidates_;  // best first after select_best
  uint64_t counter_ = 0;
};

}  // namespace weft
