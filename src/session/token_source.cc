#include "session/token_source.h"

#include <algorithm>
#include <optional>

namespace weft {
namespace {

std::unexpected<Error> cancelled() { return fail(Code::cancelled, "generate", "the next token"); }

class HostSource : public TokenSource {
 public:
  HostSource(Session::Impl& session, const GenerateRequest& request)
      : session_(session), request_(request), sampler_(request.sampling) {}

  Task<Status> begin(std::span<const int32_t> rest) override {
    sampler_.accept(request_.prompt);
    WEFT_CO_CHECK_OK(co_await session_.advance(rest, request_.cancel, true));
    co_await session_.model->host.yield();
    co_return Status{};
  }

  Task<Status> next(std::span<const int32_t> generated, Sampled& sampled) override {
    if (!generated.empty()) {
      sampler_.accept(generated.last(1));
      WEFT_CO_CHECK_OK(co_await session_.advance(generated.last(1), request_.cancel, true));
      co_await session_.model->host.yield();
    }
    if (request_.cancel && request_.cancel->cancelled()) co_return cancelled();
    const std::span<const uint32_t> mask = request_.mask ? request_.mask(generated) : std::span<const uint32_t>();
    WEFT_CO_TRY(sampled, sampler_.sample(session_.logits, mask));
    co_return Status{};
  }

 private:
  Session::Impl& session_;
  const GenerateRequest& request_;
  Sampler sampler_;
};

// The device is held from the prompt's last step on, as the loop's state is in it. When another session waits for its
// turn, what is under way is handled first; then the loop is begun again where it was.
class LoopSource : public TokenSource {
 public:
  LoopSource(Session::Impl& session, const GenerateRequest& request, TokenLoop& loop)
      : session_(session), model_(*session.model), request_(request), loop_(loop) {
    tokens_.resize(static_cast<size_t>(std::max(model_.options.burst, BurstSize::kMost)));
  }

  Task<Status> begin(std::span<const int32_t> rest) override {
    held_.emplace(co_await model_.turn.enter());
    const int64_t first = static_cast<int64_t>(session_.tokens.size());
    StepPlan& plan = model_.plan_of(static_cast<int64_t>(rest.size()));
    WEFT_CO_CHECK_OK(
        co_await model_.submit(plan, {.ids = rest, .first = first, .slot = session_.slot, .cancel = request_.cancel}));
    session_.tokens.insert(session_.tokens.end(), rest.begin(), rest.end());
    // An answer to n tokens has at most context - n + 1: the last one needs no cell.
    left_ = model_.context - static_cast<int64_t>(session_.tokens.size()) + 1;
    if (request_.max_tokens > 0) left_ = std::min(left_, request_.max_tokens);
    Status begun = begin_loop(plan, 0);
    if (begun) begun = co_await read();
    if (begun) co_return begun;
    if (begun.error().code == Code::unsupported)
      session_.tokens.resize(static_cast<size_t>(first));
    else
      session_.tokens.clear();
    co_return begun;
  }

  Task<Status> next(std::span<const int32_t> generated, Sampled& sampled) override {
    if (request_.cancel && request_.cancel->cancelled()) co_return cancelled();
    if (!generated.empty()) session_.tokens.push_back(generated.back());
    if (at_ == count_) {
      Status read = co_await refill(generated);
      if (!read) {
        if (read.error().code != Code::cancelled) session_.tokens.clear();  // nobody knows what the device has computed
        co_return read;
      }
      if (request_.cancel && request_.cancel->cancelled()) co_return cancelled();
    }
    const LoopToken& token = tokens_[at_++];
    sampled.id = token.id;
    if (request_.sampling.logprobs < 0) co_return Status{};
    sampled.chosen = {token.id, token.logprob};
    sampled.best.clear();
    for (int32_t i = 0; i < request_.sampling.logprobs && token.best_ids[i] >= 0; ++i)
      sampled.best.push_back({token.best_ids[i], token.best[i]});
    co_return Status{};
  }

  double submit_seconds() const override { return submitted_ > 0 ? submitting_ / static_cast<double>(submitted_) : 0; }

 private:
  // The next token comes from the logits of the last submit of `plan`; the first burst after it is submitted too.
  Status begin_loop(const StepPlan& plan, size_t generated) {
    const SamplingOptions& o = request_.sampling;
    const LoopSampling sampling{.temperature = o.temperature,
                                .top_k = o.top_k,
                                .top_p = o.top_p,
                                .min_p = o.min_p,
                                .repeat_penalty = o.repeat_penalty,
                                .frequency_penalty = o.frequency_penalty,
                                .presence_penalty = o.presence_penalty,
                                .penalty_last_n = o.penalty_last_n,
                                .seed = o.seed,
                                .first_draw = generated,
                                .logprobs = o.logprobs,
                                .logit_bias = o.logit_bias,
                                .history = session_.tokens};
    WEFT_CHECK_OK(loop_.start(sampling, session_.slot, static_cast<int64_t>(session_.tokens.size())));
    WEFT_CHECK_OK(loop_.sample(plan.plan));
    WEFT_CHECK_OK(loop_.begin_read(1));
    bursts_ = {1, 0};
    --left_;
    return submit_bursts();
  }

  // Up to two bursts under way; one where each token is to be read before the next step begins.
  Status submit_bursts() {
    const size_t most = model_.options.burst == 1 ? 1 : bursts_.size();
    for (int64_t& burst : std::span(bursts_).first(most)) {
      if (burst > 0 || left_ == 0 || model_.turn.wanted()) continue;
      const int64_t steps = std::min(left_, model_.burst.get());
      const double begun = model_.host.now();
      WEFT_CHECK_OK(loop_.advance(steps));
      WEFT_CHECK_OK(loop_.begin_read(steps));
      submitting_ += model_.host.now() - begun;
      submitted_ += steps;
      model_.one->ran = true;
      burst = steps;
      left_ -= steps;
    }
    return {};
  }

  // The oldest burst under way, into tokens_.
  Task<Status> read() {
    const int64_t count = bursts_[0];
    WEFT_CO_CHECK_OK(co_await loop_.read(std::span(tokens_).first(static_cast<size_t>(count))));
    const double now = model_.host.now();
    if (count > 1) model_.burst.took(count, now - last_read_);
    last_read_ = now;
    bursts_ = {bursts_[1], 0};
    at_ = 0;
    count_ = static_cast<size_t>(count);
    co_return Status{};
  }

  Task<Status> refill(std::span<const int32_t> generated) {
    WEFT_CO_CHECK_OK(submit_bursts());
    if (bursts_[0] == 0) WEFT_CO_CHECK_OK(co_await pass_turn(generated));
    WEFT_CO_CHECK_OK(co_await read());
    WEFT_CO_CHECK_OK(submit_bursts());  // before the host is busy with the tokens
    co_await model_.host.yield();
    co_return Status{};
  }

  // Lets another session use the device, then begins again with the step of the last token.
  Task<Status> pass_turn(std::span<const int32_t> generated) {
    held_.reset();
    held_.emplace(co_await model_.turn.enter());
    const StepRequest last{.ids = generated.last(1),
                           .first = static_cast<int64_t>(session_.tokens.size()) - 1,
                           .slot = session_.slot,
                           .cancel = request_.cancel};
    WEFT_CO_CHECK_OK(co_await model_.submit(*model_.one, last));
    co_return begin_loop(*model_.one, generated.size());
  }

  Session::Impl& session_;
  LanguageModel::Impl& model_;
  const GenerateRequest& request_;
  TokenLoop& loop_;
  std::optional<Turn::Guard> held_;
  std::vector<LoopToken> tokens_;  // of the burst being handled
  size_t at_ = 0, count_ = 0;
  std::array<int64_t, 2> bursts_{};  // sizes of those under way, oldest first; 0: none
  int64_t left_ = 0;                 // tokens that may still be submitted
  double last_read_ = 0;
  double submitting_ = 0;  // seconds that handing over so many steps took
  int64_t submitted_ = 0;
};

}  // namespace

std::unique_ptr<TokenSource> make_host_source(Session::Impl& session, const GenerateRequest& request) {
  return std::make_unique<HostSource>(session, request);
}

std::unique_ptr<TokenSource> make_loop_source(Session::Impl& session, const GenerateRequest& request) {
  LanguageModel::Impl& model = *session.model;
  TokenLoop* loop = model.device->loop(model.one->plan);
  if (!loop || request.mask || request.max_tokens == 0 || session.needs_snapshots() ||
      request.sampling.logprobs > kMaxLoopLogprobs)
    return nullptr;
  return std::make_unique<LoopSource>(session, request, *loop);
}

}  // namespace weft
