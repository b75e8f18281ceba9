#include "session/session.h"

#include <cmath>

#include "session_support.h"

namespace weft {
namespace {

using namespace weft::test;

class SessionTest : public testing::Test {
 protected:
  TestHost host_;
  std::vector<GoldenPrompt> prompts_ = golden_prompts("llama");
};

TEST_F(SessionTest, GreedyTokensOfEveryArchitectureChunkAndThreadCount) {
  for (const char* name : {"llama", "llama3_rope", "qwen2", "qwen3", "gemma3"}) {
    for (int64_t chunk : {1, 3, 128}) {
      for (int threads : {1, 2}) {
        auto model = load_golden(host_, name, {.threads = threads, .kv = DType::f32, .prefill_chunk = chunk});
        ASSERT_NE(model, nullptr);
        auto session = new_session(*model);
        for (const GoldenPrompt& prompt : golden_prompts(name)) {
          const auto count = static_cast<int64_t>(prompt.greedy.size());
          const Generated out = generate(*session, greedy_request(prompt.ids, count));
          EXPECT_EQ(out.ids, prompt.greedy) << name << ", chunk " << chunk << ", threads " << threads;
          EXPECT_EQ(out.stop, StopReason::max_tokens);
          EXPECT_EQ(out.stats.prefill_tokens + out.stats.kept_tokens, static_cast<int64_t>(prompt.ids.size()));
        }
      }
    }
  }
}

// "On one device any split of the prefill gives the same tokens", to the last bit of the logits.
TEST_F(SessionTest, AnySplitOfThePromptGivesTheSameLogits) {
  const std::vector<int32_t>& ids = prompts_[0].ids;
  auto model = load_golden(host_, "llama");
  auto fresh = new_session(*model);
  auto request = greedy_request(ids, 8);
  request.sampling.logprobs = 5;
  const Generated whole = generate(*fresh, request);
  for (size_t split = 1; split < ids.size(); ++split) {
    EXPECT_OK(run(fresh->reset()));
    EXPECT_OK(run(fresh->generate(greedy_request({ids.begin(), ids.begin() + split}, 0), {})));
    EXPECT_EQ(fresh->tokens().size(), split);
    const Generated parts = generate(*fresh, request);
    EXPECT_EQ(parts.stats.kept_tokens, static_cast<int64_t>(split));
    EXPECT_EQ(parts.ids, whole.ids) << "split at " << split;
    for (size_t i = 0; i < parts.logprobs.size(); ++i)
      EXPECT_EQ(parts.logprobs[i].chosen.logprob, whole.logprobs[i].chosen.logprob) << "split " << split << ", " << i;
  }
}

TEST_F(SessionTest, ReusesTheCommonPrefix) {
  auto model = load_golden(host_, "llama");
  auto session = new_session(*model);
  const auto& ids = prompts_[0].ids;
  const Generated first = generate(*session, greedy_request(ids, 10));
  EXPECT_EQ(first.stats.kept_tokens, 0);
  EXPECT_EQ(session->tokens().size(), ids.size() + 9);  // the last token was not computed

  // The same again: all but the last token is there.
  const Generated again = generate(*session, greedy_request(ids, 10));
  EXPECT_EQ(again.ids, first.ids);
  EXPECT_EQ(again.stats.kept_tokens, static_cast<int64_t>(ids.size()) - 1);
  EXPECT_EQ(again.stats.prefill_tokens, 1);

  // The next turn of the conversation, and one that goes another way after five tokens.
  std::vector<int32_t> longer = ids, other(ids.begin(), ids.begin() + 5);
  longer.insert(longer.end(), first.ids.begin(), first.ids.end());
  longer.insert(longer.end(), {7, 8, 9});
  other.insert(other.end(), {100, 101, 102, 103});
  for (const auto& prompt : {longer, other, ids, longer}) {
    const Generated reused = generate(*session, greedy_request(prompt, 10));
    auto fresh_model = load_golden(host_, "llama");
    auto fresh = new_session(*fresh_model);
    EXPECT_EQ(reused.ids, generate(*fresh, greedy_request(prompt, 10)).ids);
    EXPECT_GT(reused.stats.kept_tokens, 0);
  }
}

TEST_F(SessionTest, ContextFull) {
  const auto& ids = prompts_[0].ids;  // 17 tokens
  auto model = load_golden(host_, "llama", {.threads = 1, .context = 20});
  EXPECT_EQ(model->context(), 20);
  auto session = new_session(*model);
  const Generated out = generate(*session, greedy_request(ids, -1));
  EXPECT_EQ(out.stop, StopReason::context_full);
  EXPECT_EQ(out.ids.size(), 20 - ids.size() + 1);
  EXPECT_TRUE(std::equal(out.ids.begin(), out.ids.end(), prompts_[0].greedy.begin()));

  std::vector<int32_t> full(20, 5), over(21, 5);
  EXPECT_EQ(generate(*session, greedy_request(full, -1)).ids.size(), 1u);
  const auto refused = run(session->generate(greedy_request(over, 1), {}));
  EXPECT_ERROR(Code::context_full, refused);
  EXPECT_NE(refused.error().message().find("21"), std::string::npos);
  EXPECT_EQ(generate(*session, greedy_request(ids, 4)).ids, std::vector(out.ids.begin(), out.ids.end()));
}

TEST_F(SessionTest, CancelStopsWithinAStep) {
  auto model = load_golden(host_, "llama");
  auto session = new_session(*model);
  CancelFlag cancel;
  auto request = greedy_request(prompts_[0].ids, 20);
  request.cancel = &cancel;
  int events = 0;
  const Generated out = generate(*session, request, [&](const TokenEvent&) {
    if (++events == 5) cancel.cancel();
  });
  EXPECT_EQ(out.stop, StopReason::cancelled);
  EXPECT_EQ(out.ids.size(), 5u);
  EXPECT_EQ(events, 5);
  // Cancelled before it begins: nothing is computed.
  const Generated none = generate(*session, request);
  EXPECT_EQ(none.stop, StopReason::cancelled);
  EXPECT_TRUE(none.ids.empty());
  cancel.reset();
  EXPECT_EQ(generate(*session, request).ids, std::vector(prompts_[0].greedy.begin(), prompts_[0].greedy.begin() + 20));
}

TEST_F(SessionTest, SlotsAreConversationsOfTheirOwn) {
  auto model = load_golden(host_, "llama", {.threads = 1, .kv = DType::f32, .slots = 2});
  auto a = new_session(*model), b = new_session(*model);
  EXPECT_ERROR(Code::invalid_argument, run(model->new_session()));
  const auto& p = prompts_;
  EXPECT_EQ(generate(*a, greedy_request(p[0].ids, 24)).ids, p[0].greedy);
  EXPECT_EQ(generate(*b, greedy_request(p[1].ids, 24)).ids, p[1].greedy);
  const Generated again = generate(*a, greedy_request(p[0].ids, 24));
  EXPECT_EQ(again.ids, p[0].greedy);
  EXPECT_GT(again.stats.kept_tokens, 0);
  b.reset();
  b = new_session(*model);
  EXPECT_TRUE(b->tokens().empty());
  EXPECT_EQ(generate(*b, greedy_request(p[0].ids, 24)).ids, p[0].greedy);
}

TEST(SessionCoroutines, TwoSessionsTakeTurnsAndYieldBetweenTokens) {
  SuspendingHost host;
  const auto prompts = golden_prompts("llama");
  auto load = LanguageModel::load(host, golden_dir("llama") + "/model.gguf",
                                  {.threads = 1, .kv = DType::f32, .prefill_chunk = 4, .slots = 2});
  auto loaded = run_to_end(std::move(load), [&] { host.poll(); });
  ASSERT_OK(loaded);
  auto a = run(loaded.value()->new_session()), b = run(loaded.value()->new_session());
  std::vector<char> order;
  auto first = (*a)->generate(greedy_request(prompts[0].ids, 24), [&](const TokenEvent&) { order.push_back('a'); });
  auto second = (*b)->generate(greedy_request(prompts[1].ids, 24), [&](const TokenEvent&) { order.push_back('b'); });
  host.yields = 0;
  first.start();
  second.start();
  while (!first.done() || !second.done()) {
    ASSERT_FALSE(host.idle()) << "a session waits for nothing";
    host.poll();
  }
  EXPECT_EQ(first.take()->ids, prompts[0].greedy);
  EXPECT_EQ(second.take()->ids, prompts[1].greedy);
  int changes = 0;
  for (size_t i = 1; i < order.size(); ++i) changes += order[i] != order[i - 1];
  EXPECT_GT(changes, 20);
  EXPECT_GE(host.yields, 2 * 23);
}

TEST_F(SessionTest, SaveAndRestore) {
  for (DType kv : {DType::f32, DType::f16}) {  // heads of 16 are no whole blocks of q8_0
    auto model = load_golden(host_, "llama", {.threads = 1, .kv = kv, .slots = 2});
    auto a = new_session(*model), b = new_session(*model);
    const auto& ids = prompts_[0].ids;
    const Generated out = generate(*a, greedy_request(ids, 12));
    ASSERT_OK_AND(const auto bytes, run(a->save()));
    std::vector<int32_t> longer = a->tokens();
    longer.push_back(out.ids.back());
    const Generated next = generate(*a, greedy_request(longer, 6));

    ASSERT_OK(run(b->restore(bytes)));
    EXPECT_EQ(b->tokens(), std::vector(longer.begin(), longer.end() - 1));
    const Generated restored = generate(*b, greedy_request(longer, 6));
    EXPECT_EQ(restored.ids, next.ids);
    EXPECT_EQ(restored.stats.prefill_tokens, 1);

    auto larger = load_golden(host_, "llama", {.threads = 1, .context = 300, .kv = kv});
    auto c = new_session(*larger);
    ASSERT_OK(run(c->restore(bytes)));  // another context length
    EXPECT_EQ(generate(*c, greedy_request(longer, 6)).ids, next.ids);
  }
}

TEST_F(SessionTest, RestoreRefusesWhatIsNotItsOwn) {
  auto model = load_golden(host_, "llama", {.threads = 1, .context = 20});
  auto session = new_session(*model);
  generate(*session, greedy_request({1, 2, 3, 4}, 3));
  ASSERT_OK_AND(const auto bytes, run(session->save()));
  const auto held = session->tokens();
  const std::span<const std::byte> all(bytes);
  for (size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 97)
    EXPECT_ERROR(Code::bad_file, run(session->restore(all.first(cut))));
  for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 97) {
    auto changed = bytes;
    changed[at] ^= std::byte{0x10};
    EXPECT_FALSE(run(session->restore(changed)).has_value()) << at;
  }
  EXPECT_EQ(session->tokens(), held);

  auto other_kv = load_golden(host_, "llama", {.threads = 1, .kv = DType::f32});
  EXPECT_ERROR(Code::mismatch, run(new_session(*other_kv)->restore(bytes)));
  auto other_model = load_golden(host_, "llama_yarn");
  EXPECT_ERROR(Code::mismatch, run(new_session(*other_model)->restore(bytes)));
  auto smaller = load_golden(host_, "llama", {.threads = 1, .context = 5});
  EXPECT_ERROR(Code::context_full, run(new_session(*smaller)->restore(bytes)));
}

TEST_F(SessionTest, TruncateAndReset) {
  auto model = load_golden(host_, "llama");
  auto session = new_session(*model);
  const Generated first = generate(*session, greedy_request(prompts_[0].ids, 6));
  EXPECT_OK(run(session->truncate(3)));
  EXPECT_EQ(session->tokens(), std::vector(prompts_[0].ids.begin(), prompts_[0].ids.begin() + 3));
  EXPECT_ERROR(Code::invalid_argument, run(session->truncate(4)));
  EXPECT_ERROR(Code::invalid_argument, run(session->truncate(-1)));
  EXPECT_EQ(generate(*session, greedy_request(prompts_[0].ids, 6)).ids, first.ids);
  EXPECT_OK(run(session->reset()));
  EXPECT_TRUE(session->tokens().empty());
  EXPECT_EQ(generate(*session, greedy_request(prompts_[0].ids, 6)).ids, first.ids);
}

TEST_F(SessionTest, StopTokensMaskAndCounts) {
  auto model = load_golden(host_, "llama", {.threads = 1, .kv = DType::f32});
  auto session = new_session(*model);
  const auto& greedy = prompts_[0].greedy;
  auto request = greedy_request(prompts_[0].ids, 20);
  request.stop_ids = {greedy[4]};
  Generated out = generate(*session, request);
  EXPECT_EQ(out.stop, StopReason::stop_token);
  EXPECT_EQ(out.ids, std::vector(greedy.begin(), greedy.begin() + 4));

  out = generate(*session, greedy_request(prompts_[0].ids, 0));
  EXPECT_EQ(out.stop, StopReason::max_tokens);
  EXPECT_TRUE(out.ids.empty());
  EXPECT_EQ(generate(*session, greedy_request(prompts_[0].ids, 1)).ids, std::vector(1, greedy[0]));

  // Only even ids, and only what the callback sees.
  std::vector<uint32_t> even(384 / 32, 0x55555555);
  request = greedy_request(prompts_[0].ids, 10);
  size_t calls = 0;
  request.mask = [&](std::span<const int32_t> generated) {
    EXPECT_EQ(generated.size(), calls++);
    return std::span<const uint32_t>(even);
  };
  out = generate(*session, request);
  EXPECT_EQ(out.ids.size(), 10u);
  EXPECT_EQ(calls, 10u);
  for (int32_t id : out.ids) EXPECT_EQ(id % 2, 0);
  even.assign(even.size(), 0);
  calls = 0;
  EXPECT_ERROR(Code::invalid_argument, run(session->generate(request, {})));
}

TEST_F(SessionTest, LogitsOfEveryPosition) {
  auto model = load_golden(host_, "llama", {.threads = 1, .prefill_chunk = 5});
  auto session = new_session(*model);
  const auto& ids = prompts_[0].ids;
  std::vector<float> rows;
  int64_t next = 0;
  ASSERT_OK(run(session->logits(ids, [&](int64_t first, std::span<const float> part) {
    EXPECT_EQ(first, next);
    next += static_cast<int64_t>(part.size()) / 384;
    rows.insert(rows.end(), part.begin(), part.end());
    return Status{};
  })));
  ASSERT_EQ(rows.size(), ids.size() * 384);
  EXPECT_EQ(session->tokens(), ids);
  // Each row's best is what greedy generation after that prefix takes, with the same log-probability.
  for (size_t n = 1; n <= ids.size(); ++n) {
    auto request = greedy_request({ids.begin(), ids.begin() + n}, 1);
    request.sampling.logprobs = 0;
    const Generated out = generate(*session, request);
    const std::span<const float> row = std::span(rows).subspan((n - 1) * 384, 384);
    EXPECT_EQ(out.ids[0], std::max_element(row.begin(), row.end()) - row.begin());
    double sum = 0;
    for (float x : row) sum += std::exp(static_cast<double>(x));
    EXPECT_NEAR(out.logprobs[0].chosen.logprob, row[out.ids[0]] - std::log(sum), 1e-5);
  }
  int calls = 0;
  EXPECT_ERROR(Code::io, run(session->logits(ids, [&](int64_t, std::span<const float>) -> Status {
                 ++calls;
                 return fail(Code::io, "sink", "full");
               })));
  EXPECT_EQ(calls, 1);
}

TEST_F(SessionTest, RequestsThatMakeNoSense) {
  auto model = load_golden(host_, "llama");
  auto session = new_session(*model);
  EXPECT_ERROR(Code::invalid_argument, run(session->generate({}, {})));
  EXPECT_ERROR(Code::invalid_argument, run(session->generate(greedy_request({1, 384}, 1), {})));
  EXPECT_ERROR(Code::invalid_argument, run(session->generate(greedy_request({1, -1}, 1), {})));
  EXPECT_ERROR(Code::invalid_argument, run(session->generate(greedy_request({1}, -2), {})));
  auto request = greedy_request({1}, 1);
  request.sampling.top_p = 0;
  EXPECT_ERROR(Code::invalid_argument, run(session->generate(request, {})));
  request = greedy_request({1}, 1);
  request.stop = {"x"};
  EXPECT_ERROR(Code::no_tokenizer, run(session->generate(request, {})));  // the golden has no tokenizer
}

TEST_F(SessionTest, LoadOptions) {
  const auto refused = [&](Code code, LoadOptions options) {
    options.threads = options.threads ? options.threads : 1;
    EXPECT_ERROR(code, run(LanguageModel::load(host_, golden_dir("llama") + "/model.gguf", std::move(options))));
  };
  refused(Code::no_device, {.device = "webgpu"});
  refused(Code::invalid_argument, {.device = "tpu"});
  refused(Code::invalid_argument, {.threads = -1});
  refused(Code::invalid_argument, {.threads = 100000});
  refused(Code::invalid_argument, {.context = 513});
  refused(Code::invalid_argument, {.context = -1});
  refused(Code::invalid_argument, {.kv = DType::q4_0});
  refused(Code::invalid_argument, {.disabled_passes = {"no_such_pass"}});
  refused(Code::invalid_argument, {.prefill_chunk = -1});
  refused(Code::invalid_argument, {.burst = -1});
  refused(Code::invalid_argument, {.burst = 256});
  refused(Code::invalid_argument, {.slots = 0});
  CancelFlag cancel;
  cancel.cancel();
  refused(Code::cancelled, {.cancel = &cancel});
  EXPECT_ERROR(Code::not_found, run(LanguageModel::load(host_, "/absent.gguf", {})));
}

TEST_F(SessionTest, SaysWhatItNeedsBeforeItLoads) {
  int64_t last = 0, total = 0;
  size_t logged_before = 0;
  auto model = load_golden(host_, "llama", {.threads = 1, .progress = [&](int64_t done, int64_t all) {
                                              if (total == 0) logged_before = host_.logged.size();
                                              EXPECT_GE(done, last);
                                              last = done;
                                              total = all;
                                            }});
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(last, total);
  ASSERT_GT(logged_before, 0u);
  EXPECT_NE(host_.logged[logged_before - 1].find("needs "), std::string::npos);
  const MemoryUse use = model->memory();
  EXPECT_EQ(use.states, model->model().state_bytes(1, model->context()));
  auto session = new_session(*model);
  const Generated out = generate(*session, greedy_request({1, 2, 3}, 3));
  EXPECT_EQ(out.stats.device, model->caps().name);
  EXPECT_FALSE(out.stats.kernels.empty());
  EXPECT_GT(out.stats.ttft_ms, 0);
  EXPECT_EQ(out.stats.decode_tokens, 2);
}

}  // namespace
}  // namespace weft
