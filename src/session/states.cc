// What a session's states hold: going forward, going back, snapshots.
#include <algorithm>

#include "base/check.h"
#include "session/model_impl.h"

namespace weft {

bool Session::Impl::needs_snapshots() const {
  return std::any_of(model->model.states.begin(), model->model.states.end(),
                     [](const StateDecl& state) { return state.rollback == Rollback::snapshot; });
}

Status Session::Impl::check_ids(std::span<const int32_t> ids) const {
  if (ids.empty())
    return fail(Code::invalid_argument, "prompt", "tokens", "at least one", "none",
                "this tokenizer adds no beginning-of-text token: give some text");
  const int64_t vocab = model->model.vocab_size;
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= vocab)
      return fail(Code::invalid_argument, "prompt", "token " + std::to_string(i),
                  "an id from 0 to " + std::to_string(vocab - 1), std::to_string(ids[i]));
  if (static_cast<int64_t>(ids.size()) > model->context)
    return fail(Code::context_full, "prompt", "tokens", "at most the context's " + std::to_string(model->context),
                std::to_string(ids.size()));
  return {};
}

Task<Status> Session::Impl::take_snapshot() {
  auto turn = co_await model->turn.enter();
  snapshot_tokens = -1;
  snapshot.resize(model->model.states.size());
  for (size_t i = 0; i < snapshot.size(); ++i) {
    if (model->model.states[i].rollback != Rollback::snapshot) continue;
    WEFT_CO_TRY(snapshot[i], co_await model->device->read_state(static_cast<int>(i), slot, 0));
  }
  snapshot_tokens = static_cast<int64_t>(tokens.size());
  co_return Status{};
}

Task<Status> Session::Impl::clear_states() {
  tokens.clear();
  snapshot_tokens = -1;
  if (!needs_snapshots()) co_return Status{};  // cells beyond `tokens` are never seen
  auto turn = co_await model->turn.enter();
  const std::vector<int64_t> sizes{1, model->context};  // one slot
  for (size_t i = 0; i < model->model.states.size(); ++i) {
    const StateDecl& state = model->model.states[i];
    if (state.rollback != Rollback::snapshot) continue;
    const std::vector<std::byte> zeros(static_cast<size_t>(size_of({state.dtype, state.shape}, sizes)));
    WEFT_CO_CHECK_OK(co_await model->device->write_state(static_cast<int>(i), slot, 0, zeros));
  }
  co_return Status{};
}

Task<Status> Session::Impl::rewind(int64_t count) {
  const int64_t held = static_cast<int64_t>(tokens.size());
  CHECK(count <= held);
  if (count == held) co_return Status{};
  if (!needs_snapshots()) {
    tokens.resize(static_cast<size_t>(count));
    co_return Status{};
  }
  if (snapshot_tokens < 0 || snapshot_tokens > count) co_return co_await clear_states();
  co_return co_await restore_snapshot();
}

Task<Status> Session::Impl::restore_snapshot() {
  auto turn = co_await model->turn.enter();
  for (size_t i = 0; i < snapshot.size(); ++i) {
    if (model->model.states[i].rollback != Rollback::snapshot) continue;
    WEFT_CO_CHECK_OK(co_await model->device->write_state(static_cast<int>(i), slot, 0, snapshot[i]));
  }
  tokens.resize(static_cast<size_t>(snapshot_tokens));
  co_return Status{};
}

Task<Status> Session::Impl::advance(std::span<const int32_t> ids, const CancelFlag* cancel, bool want_logits) {
  if (want_logits) logits.resize(static_cast<size_t>(model->model.vocab_size));
  StepRequest request{.ids = ids,
                      .first = static_cast<int64_t>(tokens.size()),
                      .slot = slot,
                      .rows = 1,
                      .logits = want_logits ? std::span(logits) : std::span<float>(),
                      .cancel = cancel};
  Status done = co_await model->step(model->plan_of(static_cast<int64_t>(ids.size())), request);
  if (done) {
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    co_return Status{};
  }
  // A recurrent state may hold part of the step; cells of a cache beyond `tokens` do not matter.
  if (needs_snapshots()) {
    if (Status back = snapshot_tokens >= 0 ? co_await restore_snapshot() : co_await clear_states(); !back)
      co_return back;
  }
  co_return done;
}

Task<Result<int64_t>> Session::Impl::read_prompt(std::span<const int32_t> ids, const CancelFlag* cancel) {
  const size_t common =
      static_cast<size_t>(std::mismatch(ids.begin(), ids.end(), tokens.begin(), tokens.end()).first - ids.begin());
  // The last token is computed even if it is held: its logits are needed.
  WEFT_CO_CHECK_OK(co_await rewind(static_cast<int64_t>(std::min(common, ids.size() - 1))));
  const int64_t kept = static_cast<int64_t>(tokens.size());
  const bool snapshots = needs_snapshots();
  const size_t chunk = static_cast<size_t>(model->chunk->tokens);
  const size_t last = snapshots ? 1 : chunk;  // so that a snapshot before the last token exists
  while (ids.size() - tokens.size() > last) {
    if (cancel && cancel->cancelled()) co_return fail(Code::cancelled, "prompt", "reading");
    const size_t count = std::min(chunk, ids.size() - tokens.size() - (snapshots ? 1 : 0));
    WEFT_CO_CHECK_OK(co_await advance(ids.subspan(tokens.size(), count), cancel, false));
    co_await model->host.yield();
  }
  if (cancel && cancel->cancelled()) co_return fail(Code::cancelled, "prompt", "reading");
  if (snapshots) WEFT_CO_CHECK_OK(co_await take_snapshot());
  co_return kept;
}

}  // namespace weft
