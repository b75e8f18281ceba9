// Request → tokens.
#include <algorithm>

#include "session/model_impl.h"
#include "session/stop_text.h"
#include "session/token_source.h"

namespace weft {
namespace {

// What is reserved for an answer before its first token.
constexpr int64_t kMaxRoom = 16384, kBytesPerToken = 8;

// Text of the answer, from tokens to events: decoded, held back for stop strings, appended to the result.
class AnswerText {
 public:
  AnswerText(const Tokenizer* tokenizer, const GenerateRequest& request) : stop_(request.stop) {
    if (!tokenizer) return;
    // After nothing but a beginning-of-text token the answer is the text, without the space that encoding adds.
    const bool at_start = std::ranges::all_of(request.prompt, [&](int32_t id) { return tokenizer->is_control(id); });
    decoder_.emplace(*tokenizer, at_start);
  }
  // The text that `id` completes; `stopped` if a stop string ended the answer.
  std::string_view push(int32_t id, bool& stopped) {
    ready_.clear();
    if (decoder_) stopped = stop_.push(decoder_->push(id), ready_);
    return ready_;
  }
  // What was held back, once it is clear that nothing follows; appended to the text that push returned if `after_push`.
  std::string_view finish(bool after_push) {
    if (!after_push) ready_.clear();
    if (decoder_ && !stop_.push(decoder_->finish(), ready_)) stop_.flush(ready_);
    return ready_;
  }

 private:
  std::optional<StreamDecoder> decoder_;
  StopText stop_;
  std::string ready_;
};

// Why generation ends at `id` before it becomes part of the answer.
std::optional<StopReason> ends_at(int32_t id, const GenerateRequest& request, const LanguageModel::Impl& model) {
  const auto holds = [&](const std::vector<int32_t>& ids) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  if (holds(request.stop_ids)) return StopReason::stop_token;
  if (request.ignore_end) return std::nullopt;
  if ((model.tokenizer && model.tokenizer->is_end(id)) || holds(model.end_ids)) return StopReason::end_token;
  return std::nullopt;
}

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::end_token:
      return "end-token";
    case StopReason::stop_string:
      return "stop-string";
    case StopReason::stop_token:
      return "stop-token";
    case StopReason::max_tokens:
      return "max-tokens";
    case StopReason::context_full:
      return "context-full";
    case StopReason::cancelled:
      return "cancelled";
  }
  return "";
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() = default;
const std::vector<int32_t>& Session::tokens() const { return impl_->tokens; }

Task<Result<Generated>> Session::generate(GenerateRequest request, std::function<void(const TokenEvent&)> on_token) {
  LanguageModel::Impl& model = *impl_->model;
  Host& host = model.host;
  const Tokenizer* tokenizer = model.tokenizer.get();
  const double begin = host.now();
  WEFT_CO_CHECK_OK(impl_->check_ids(request.prompt));
  WEFT_CO_CHECK_OK(validate(request.sampling, model.model.vocab_size));
  WEFT_CO_CHECK_OK(check_stop_strings(request.stop));
  if (request.max_tokens < -1)
    co_return fail(Code::invalid_argument, "generate", "max_tokens", ">= -1", std::to_string(request.max_tokens));
  if (!request.stop.empty() && !tokenizer)
    co_return fail(Code::no_tokenizer, "generate", "stop strings", "a tokenizer", "none", "stop at token ids instead");

  Generated out;
  out.stats.device = model.device->caps().name;
  out.stats.load_ms = model.load_ms;
  AnswerText answer(tokenizer, request);
  std::optional<StopReason> stop;
  // A cancelled call is no error: it ends with what there is.
  const auto ends = [&stop](const Status& done) {
    if (!done && done.error().code == Code::cancelled) stop = StopReason::cancelled;
    return done || stop;
  };

  auto source = make_loop_source(*impl_, request);
  if (!source) source = make_host_source(*impl_, request);
  auto kept = co_await impl_->read_prompt(request.prompt, request.cancel);
  Status begun = kept.transform([](int64_t) {});
  if (kept) {
    const auto rest = std::span<const int32_t>(request.prompt).subspan(impl_->tokens.size());
    begun = co_await source->begin(rest);
    if (!begun && begun.error().code == Code::unsupported) {
      source = make_host_source(*impl_, request);
      begun = co_await source->begin(rest);
    }
  }
  if (!ends(begun)) co_return std::unexpected(std::move(begun).error());
  if (begun && request.max_tokens == 0) stop = StopReason::max_tokens;
  const double read = host.now();
  out.stats.kept_tokens = begun ? *kept : 0;
  out.stats.prefill_tokens = begun ? static_cast<int64_t>(request.prompt.size()) - *kept : 0;
  if (read > begin) out.stats.prefill_tps = static_cast<double>(out.stats.prefill_tokens) / (read - begin);

  // Room for the answer now, so that the loop below allocates nothing, unless the answer is very long.
  int64_t room = model.context - static_cast<int64_t>(impl_->tokens.size()) + 1;
  if (request.max_tokens >= 0) room = std::min(room, request.max_tokens);
  room = std::clamp<int64_t>(room, 0, kMaxRoom);
  out.ids.reserve(static_cast<size_t>(room));
  out.text.reserve(static_cast<size_t>(room) * kBytesPerToken);
  impl_->tokens.reserve(impl_->tokens.size() + static_cast<size_t>(room));
  if (request.sampling.logprobs >= 0) out.logprobs.reserve(static_cast<size_t>(room));

  double first = read;
  while (!stop) {
    Sampled next;
    Status sampled = co_await source->next(out.ids, next);
    if (!ends(sampled)) co_return std::unexpected(std::move(sampled).error());
    if (stop) break;
    const int32_t id = next.id;
    if ((stop = ends_at(id, request, model))) break;
    out.ids.push_back(id);
    bool stopped = false;
    std::string_view text = answer.push(id, stopped);
    if (stopped) {
      stop = StopReason::stop_string;
    } else if (static_cast<int64_t>(out.ids.size()) == request.max_tokens) {
      stop = StopReason::max_tokens;
    } else if (static_cast<int64_t>(impl_->tokens.size()) == model.context) {
      stop = StopReason::context_full;
    }
    if (stop && !stopped) text = answer.finish(true);
    out.text += text;
    if (out.ids.size() == 1) {
      first = host.now();
      out.stats.ttft_ms = (first - begin) * 1000;
    }
    if (on_token) on_token({.id = id, .text = text, .sampled = &next});
    if (request.sampling.logprobs >= 0) out.logprobs.push_back(std::move(next));
  }
  out.stats.submit_us = source->submit_seconds() * 1e6;
  source.reset();  // the device is free for others

  // Ended between tokens: what was held back for a stop string comes as an event of its own, without a token.
  if (stop == StopReason::end_token || stop == StopReason::stop_token || stop == StopReason::cancelled) {
    if (const std::string_view rest = answer.finish(false); !rest.empty()) {
      out.text += rest;
      if (on_token) on_token({.id = kNoToken, .text = rest});
    }
  }
  out.stop = *stop;
  out.stats.decode_tokens = std::max<int64_t>(0, static_cast<int64_t>(out.ids.size()) - 1);
  const double seconds = host.now() - first;
  if (out.stats.decode_tokens > 0 && seconds > 0)
    out.stats.decode_tps = static_cast<double>(out.stats.decode_tokens) / seconds;
  out.stats.kernels = model.kernels();
  co_return out;
}

Task<Status> Session::logits(std::span<const int32_t> ids,
                             std::function<Status(int64_t first, std::span<const float> rows)> sink,
                             const CancelFlag* cancel) {
  WEFT_CO_CHECK_OK(impl_->check_ids(ids));
  LanguageModel::Impl& model = *impl_->model;
  const int64_t vocab = model.model.vocab_size;
  if (!model.all_rows) {
    // As many rows a step as fit in 16 MB: the tokens of a step are also its rows here.
    const int64_t rows = std::clamp<int64_t>((16 << 20) / (vocab * 4), 1, model.chunk->tokens);
    WEFT_CO_TRY(model.all_rows, model.plan_for(rows, rows));
  }
  const size_t rows = static_cast<size_t>(model.all_rows->rows);
  WEFT_CO_CHECK_OK(co_await impl_->clear_states());
  std::vector<float> buffer(rows * static_cast<size_t>(vocab));
  for (size_t first = 0; first < ids.size(); first += rows) {
    if (cancel && cancel->cancelled()) co_return fail(Code::cancelled, "logits", "reading");
    const auto part = ids.subspan(first, std::min(rows, ids.size() - first));
    const std::span<float> out = std::span(buffer).first(part.size() * static_cast<size_t>(vocab));
    Status done = co_await model.step(*model.all_rows, {.ids = part,
                                                        .first = static_cast<int64_t>(first),
                                                        .slot = impl_->slot,
                                                        .rows = static_cast<int64_t>(part.size()),
                                                        .logits = out,
                                                        .cancel = cancel});
    if (!done) {
      WEFT_CO_CHECK_OK(co_await impl_->clear_states());
      co_return done;
    }
    impl_->tokens.insert(impl_->tokens.end(), part.begin(), part.end());
    WEFT_CO_CHECK_OK(sink(static_cast<int64_t>(first), out));
    co_await model.host.yield();
  }
  co_return Status{};
}

}  // namespace weft
