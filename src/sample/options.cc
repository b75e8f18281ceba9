#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "sample/sampler.h"

namespace weft {
namespace {

std::unexpected<Error> bad_option(std::string_view option, std::string_view range, double found) {
  char number[32];
  std::snprintf(number, sizeof number, "%g", found);
  return fail(Code::invalid_argument, "sampling", std::string(option), std::string(range), number);
}

}  // namespace

Status validate(const SamplingOptions& o, int64_t vocab_size) {
  // Written so that NaN fails each test.
  if (!(o.temperature >= 0) || std::isinf(o.temperature))
    return bad_option("temperature", "a number >= 0", o.temperature);
  if (o.top_k < 0) return bad_option("top_k", ">= 0", o.top_k);
  if (!(o.top_p > 0 && o.top_p <= 1)) return bad_option("top_p", "above 0, at most 1", o.top_p);
  if (!(o.min_p >= 0 && o.min_p < 1)) return bad_option("min_p", "from 0, below 1", o.min_p);
  if (!(o.repeat_penalty > 0) || std::isinf(o.repeat_penalty))
    return bad_option("repeat_penalty", "a number > 0", o.repeat_penalty);
  if (!std::isfinite(o.frequency_penalty)) return bad_option("frequency_penalty", "a number", o.frequency_penalty);
  if (!std::isfinite(o.presence_penalty)) return bad_option("presence_penalty", "a number", o.presence_penalty);
  if (o.penalty_last_n < -1) return bad_option("penalty_last_n", ">= -1", o.penalty_last_n);
  if (o.logprobs < -1 || o.logprobs > vocab_size)
    return bad_option("logprobs", "from -1 to the vocabulary's " + std::to_string(vocab_size), o.logprobs);
  for (const auto& [id, bias] : o.logit_bias) {
    if (id < 0 || id >= vocab_size)
      return bad_option("logit_bias token", "an id below " + std::to_string(vocab_size), id);
    if (std::isnan(bias) || bias == std::numeric_limits<float>::infinity())
      return bad_option("logit_bias of token " + std::to_string(id), "a number or -inf", bias);
  }
  return {};
}

}  // namespace weft
