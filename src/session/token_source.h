// Where the tokens of one generation come from, one after the other. What the session holds grows with them: a token
// becomes part of it when the one after it is asked for, however many steps the device is ahead by then.
//
//   auto source = make_token_source(session, request);
//   WEFT_CO_CHECK_OK(co_await source->begin(rest_of_prompt));
//   while (…) {
//     WEFT_CO_CHECK_OK(co_await source->next(generated, sampled));   // `cancelled` when the request was
//     generated.push_back(sampled.id);
//   }
//
// There are two. The host samples: a step, its logits, the sampler; on every device, with every option. Or the device's
// TokenLoop samples: steps are submitted in bursts, two of them under way while the host handles the tokens of the one
// before, so that the device always has work; what ran past the end of the answer is dropped. Its cells lie beyond what
// the session holds, so nothing has to be rolled back; that is why models with states that cannot be truncated, masks
// (which need each token before the next is sampled) and more than kMaxLoopLogprobs logprobs stay with the host.
#pragma once

#include "session/model_impl.h"

namespace weft {

class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // Computes `rest`, the part of the prompt that the session does not hold yet: at most what fits in one step, at least
  // one token. The first token follows.
  virtual Task<Status> begin(std::span<const int32_t> rest) = 0;
  // The token after `generated`, which are all that were given so far.
  virtual Task<Status> next(std::span<const int32_t> generated, Sampled& sampled) = 0;
  // What it has cost so far to hand a step to the device, in seconds; 0 where nothing is handed over ahead.
  virtual double submit_seconds() const { return 0; }
};

// The request must stay where it is while the source lives.
std::unique_ptr<TokenSource> make_host_source(Session::Impl& session, const GenerateRequest& request);
// Null where the host must sample. begin() may still refuse with `unsupported` and leave all as it was.
std::unique_ptr<TokenSource> make_loop_source(Session::Impl& session, const GenerateRequest& request);

}  // namespace weft
