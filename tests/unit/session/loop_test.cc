// Generation on a device that samples by itself: whatever the length of its bursts, a session gives the tokens, the
// statistics and the held states that sampling on the host gives.

#include <cmath>

#include "fake_loop.h"
#include "session/burst_size.h"
#include "session_support.h"

namespace weft {
namespace {

using namespace weft::test;

class LoopTest : public testing::Test {
 protected:
  LoadOptions options(int64_t burst, int64_t context = 0) {
    return {.threads = 1, .context = context, .burst = burst, .make_device = [this](Host& host) {
              return make_fake_loop_device(host, probe_);
            }};
  }

  TestHost host_;
  LoopProbe probe_;
  std::vector<GoldenPrompt> prompts_ = golden_prompts("llama");
  const std::vector<int32_t>& prompt_ = prompts_[0].ids;
};

// Everything that a caller can see but times.
void expect_same(const Session& session, const Generated& got, const Session& host, const Generated& want) {
  EXPECT_EQ(got.ids, want.ids);
  EXPECT_EQ(got.text, want.text);
  EXPECT_EQ(got.stop, want.stop);
  EXPECT_EQ(session.tokens(), host.tokens());
  EXPECT_EQ(got.stats.prefill_tokens, want.stats.prefill_tokens);
  EXPECT_EQ(got.stats.kept_tokens, want.stats.kept_tokens);
  EXPECT_EQ(got.stats.decode_tokens, want.stats.decode_tokens);
  EXPECT_EQ(got.stats.kernels, want.stats.kernels);
  ASSERT_EQ(got.logprobs.size(), want.logprobs.size());
  for (size_t i = 0; i < got.logprobs.size(); ++i) {
    EXPECT_EQ(got.logprobs[i].id, want.logprobs[i].id);
    EXPECT_EQ(got.logprobs[i].chosen.logprob, want.logprobs[i].chosen.logprob);
    ASSERT_EQ(got.logprobs[i].best.size(), want.logprobs[i].best.size());
    for (size_t k = 0; k < got.logprobs[i].best.size(); ++k)
      EXPECT_EQ(got.logprobs[i].best[k].id, want.logprobs[i].best[k].id);
  }
}

TEST_F(LoopTest, AnyBurstGivesTheTokensOfTheHost) {
  std::vector<GenerateRequest> requests{greedy_request(prompt_, 24)};
  requests.push_back(greedy_request({5}, 20));  // a prompt of one token runs the decode plan
  requests.push_back({.prompt = prompt_, .max_tokens = 30, .sampling = {.temperature = 1.5f, .seed = 3}});
  requests.push_back({.prompt = prompts_[1].ids,
                      .max_tokens = 33,
                      .sampling = {.temperature = 1,
                                   .top_k = 0,
                                   .top_p = 1,
                                   .min_p = 0,
                                   .repeat_penalty = 1.3f,
                                   .frequency_penalty = 0.1f,
                                   .penalty_last_n = 20,
                                   .logit_bias = {{7, 3.0f}},
                                   .seed = 9,
                                   .logprobs = 3}});
  requests.push_back(greedy_request(prompt_, 7));  // again: the prefix is kept
  auto host_model = load_golden(host_, "llama");
  auto host_session = new_session(*host_model);
  for (int64_t burst : {1, 2, 3, 8, 64, 255, 0}) {
    SCOPED_TRACE(burst);
    auto model = load_golden(host_, "llama", options(burst));
    auto session = new_session(*model);
    ASSERT_OK(run(host_session->reset()));
    for (const GenerateRequest& request : requests) {
      const int starts = probe_.starts;
      const Generated want = generate(*host_session, request);
      const Generated got = generate(*session, request);
      expect_same(*session, got, *host_session, want);
      EXPECT_EQ(probe_.starts, starts + 1);
    }
  }
}

// Every place of an end relative to the bursts; what is generated next shows that the states are right.
TEST_F(LoopTest, EndsInsideAndBetweenBursts) {
  auto host_model = load_golden(host_, "llama", {.threads = 1, .context = 30});
  auto host_session = new_session(*host_model);
  for (int64_t burst : {1, 3, 8}) {
    SCOPED_TRACE(burst);
    auto model = load_golden(host_, "llama", options(burst, 30));
    auto session = new_session(*model);
    const auto compare = [&](const GenerateRequest& request) {
      const Generated want = generate(*host_session, request);
      const Generated got = generate(*session, request);
      expect_same(*session, got, *host_session, want);
      auto longer = host_session->tokens();
      longer.push_back(3);
      const Generated next = generate(*host_session, greedy_request(longer, 3));
      expect_same(*session, generate(*session, greedy_request(longer, 3)), *host_session, next);
    };
    for (int64_t count = 1; count <= 12; ++count) compare(greedy_request(prompt_, count));
    const auto& greedy = prompts_[0].greedy;
    for (size_t at = 0; at < 12; ++at) {
      auto request = greedy_request(prompt_, 12);
      request.stop_ids = {greedy[at]};
      compare(request);
    }
    compare(greedy_request(prompt_, 0));
    auto full = greedy_request(prompt_, -1);  // until the context is full
    expect_same(*session, generate(*session, full), *host_session, generate(*host_session, full));
    EXPECT_EQ(session->tokens().size(), 30u);
    const std::vector<int32_t> whole(30, 5);
    expect_same(*session, generate(*session, greedy_request(whole, -1)), *host_session,
                generate(*host_session, greedy_request(whole, -1)));
  }
}

TEST_F(LoopTest, StopStringsAcrossBursts) {
  const std::string path = source_dir() + "/models/weft-stories-7m-q8_0.gguf";
  ASSERT_OK_AND(auto host_model, run(LanguageModel::load(host_, path, {.device = "cpu", .threads = 1, .context = 80})));
  auto host_session = new_session(*host_model);
  ASSERT_OK_AND(const auto ids, host_model->tokenizer()->encode("Once upon a time"));
  const std::string story = generate(*host_session, greedy_request(ids, 40)).text;
  ASSERT_GT(story.size(), 60u);
  for (int64_t burst : {1, 4, 8}) {
    SCOPED_TRACE(burst);
    ASSERT_OK_AND(auto model, run(LanguageModel::load(host_, path, options(burst, 80))));
    auto session = new_session(*model);
    ASSERT_OK(run(host_session->reset()));
    for (size_t at = 10; at < 60; at += 7) {
      GenerateRequest request = greedy_request(ids, 40);
      request.stop = {story.substr(at, 9), "\n\n\n never"};
      std::string events;
      const Generated got = generate(*session, request, [&](const TokenEvent& e) { events += e.text; });
      const Generated want = generate(*host_session, request);
      expect_same(*session, got, *host_session, want);
      EXPECT_EQ(got.stop, StopReason::stop_string);
      EXPECT_EQ(events, got.text);
      EXPECT_EQ(story.find(request.stop[0]), got.text.size());
    }
  }
}

TEST_F(LoopTest, CancelsWithinABurst) {
  auto host_model = load_golden(host_, "llama");
  auto host_session = new_session(*host_model);
  auto model = load_golden(host_, "llama", options(4));
  auto session = new_session(*model);
  for (int at = 0; at <= 10; ++at) {
    const auto cancelled_at = [&](Session& s) {
      CancelFlag cancel;
      GenerateRequest request = greedy_request(prompt_, 20);
      request.cancel = &cancel;
      if (at == 0) cancel.cancel();
      int events = 0;
      return generate(s, request, [&](const TokenEvent&) {
        if (++events == at) cancel.cancel();
      });
    };
    const Generated want = cancelled_at(*host_session), got = cancelled_at(*session);
    EXPECT_EQ(got.stop, StopReason::cancelled);
    EXPECT_EQ(got.ids.size(), static_cast<size_t>(at));
    expect_same(*session, got, *host_session, want);
  }
  EXPECT_EQ(generate(*session, greedy_request(prompt_, 20)).ids,
            std::vector(prompts_[0].greedy.begin(), prompts_[0].greedy.begin() + 20));
}

TEST_F(LoopTest, TheFirstTokenWaitsForNoBurstAndTheDeviceForNoHost) {
  auto model = load_golden(host_, "llama", options(8));
  auto session = new_session(*model);
  int events = 0;
  int64_t least = 1000;
  generate(*session, greedy_request(prompt_, 60), [&](const TokenEvent&) {
    if (++events == 1) {
      EXPECT_EQ(probe_.reads, 1);
      EXPECT_EQ(probe_.steps_at_first_read, 8);  // the first burst was submitted before the first token was read
      EXPECT_EQ(probe_.steps, 8);                // and no more than that
    } else if (events < 40) {
      least = std::min(least, probe_.under_way);
    }
  });
  EXPECT_EQ(least, 2);  // while the host handles tokens, two bursts are under way
  EXPECT_EQ(probe_.most_unread, 16);
  EXPECT_EQ(probe_.steps, 59);  // not one beyond max_tokens
}

TEST_F(LoopTest, TheHostSamplesWhatTheLoopCannot) {
  auto host_model = load_golden(host_, "llama");
  auto host_session = new_session(*host_model);
  auto model = load_golden(host_, "llama", options(8));
  auto session = new_session(*model);
  std::vector<uint32_t> even(384 / 32, 0x55555555);
  GenerateRequest masked = greedy_request(prompt_, 10), listed = greedy_request(prompt_, 5);
  masked.mask = [&](std::span<const int32_t>) { return std::span<const uint32_t>(even); };
  listed.sampling.logprobs = kMaxLoopLogprobs + 1;
  for (const auto& request : {masked, listed})
    expect_same(*session, generate(*session, request), *host_session, generate(*host_session, request));
  EXPECT_EQ(probe_.starts, 0);
  probe_.refuse = true;  // what only the device knows
  const auto request = greedy_request(prompt_, 10);
  expect_same(*session, generate(*session, request), *host_session, generate(*host_session, request));
  EXPECT_EQ(probe_.starts, 0);
}

TEST_F(LoopTest, SamplingErrorsAreNamedAndTheSessionLives) {
  auto model = load_golden(host_, "llama", options(3));
  auto session = new_session(*model);
  GenerateRequest request = greedy_request(prompt_, 10);
  for (int32_t id = 0; id < 384; ++id) request.sampling.logit_bias.emplace_back(id, -INFINITY);
  EXPECT_ERROR(Code::invalid_argument, run(session->generate(request, {})));
  EXPECT_EQ(generate(*session, greedy_request(prompt_, 24)).ids, prompts_[0].greedy);
}

TEST_F(LoopTest, ALostDevice) {
  for (int where : {0, 1, 9, 17, -1}) {  // in the first burst, in later ones, in a read
    SCOPED_TRACE(where);
    probe_ = {};
    auto model = load_golden(host_, "llama", options(8));
    auto session = new_session(*model);
    probe_.lose_after = where;
    probe_.lose_in_read = where < 0;
    EXPECT_ERROR(Code::device_lost, run(session->generate(greedy_request(prompt_, 40), {})));
    EXPECT_ERROR(Code::device_lost, run(session->generate(greedy_request(prompt_, 40), {})));
    EXPECT_ERROR(Code::device_lost, run(session->logits(prompt_, [](int64_t, auto) { return Status{}; })));
  }
  probe_ = {};
  auto model = load_golden(host_, "llama", options(8));
  auto session = new_session(*model);
  probe_.lost = true;  // in the prompt
  EXPECT_ERROR(Code::device_lost, run(session->generate(greedy_request(prompt_, 40), {})));
}

TEST(LoopCoroutines, SessionsTakeTurnsBetweenBursts) {
  for (bool sampled : {false, true}) {
    SuspendingHost host;
    LoopProbe probe{.host = &host};
    const auto prompts = golden_prompts("llama");
    auto load = LanguageModel::load(host, golden_dir("llama") + "/model.gguf",
                                    {.threads = 1, .slots = 2, .burst = 4, .make_device = [&](Host& h) {
                                       return make_fake_loop_device(h, probe);
                                     }});
    auto model = run_to_end(std::move(load), [&] { host.poll(); });
    ASSERT_OK(model);
    std::vector<GenerateRequest> requests;
    for (int i : {0, 1}) {
      requests.push_back(greedy_request(prompts[i].ids, 24));
      if (sampled)
        requests.back().sampling = {
            .temperature = 1, .repeat_penalty = 1.2f, .penalty_last_n = -1, .seed = static_cast<uint64_t>(i)};
    }
    std::vector<std::vector<int32_t>> alone;
    for (const auto& request : requests) {
      auto session = run(model.value()->new_session());
      ASSERT_OK(session);
      auto task = (*session)->generate(request, {});
      auto out = run_to_end(std::move(task), [&] { host.poll(); });
      ASSERT_OK(out);
      alone.push_back(out->ids);
    }
    auto a = run(model.value()->new_session()), b = run(model.value()->new_session());
    std::string order;
    auto first = (*a)->generate(requests[0], [&](const TokenEvent&) { order += 'a'; });
    auto second = (*b)->generate(requests[1], [&](const TokenEvent&) { order += 'b'; });
    first.start();
    second.start();
    while (!first.done() || !second.done()) {
      ASSERT_FALSE(host.idle()) << "a session waits for nothing";
      host.poll();
    }
    EXPECT_EQ(first.take()->ids, alone[0]);
    EXPECT_EQ(second.take()->ids, alone[1]);
    int changes = 0;
    for (size_t i = 1; i < order.size(); ++i) changes += order[i] != order[i - 1];
    EXPECT_GT(changes, 5) << order;
    // A generation that is given up while the device works for it.
    {
      auto third = (*a)->generate(requests[1], {});
      third.start();
      for (int i = 0; i < 3; ++i) host.poll();
      auto waiting = (*b)->generate(requests[0], {});
      waiting.start();
    }
  }
}

TEST(BurstSize, AdaptsBetweenFiveAndFiftyMilliseconds) {
  BurstSize size;
  EXPECT_EQ(size.get(), 8);
  size.took(8, 0.006);
  EXPECT_EQ(size.get(), 8);
  size.took(8, 0.004);
  EXPECT_EQ(size.get(), 16);
  size.took(3, 0.001);  // the end of an answer says nothing
  EXPECT_EQ(size.get(), 16);
  for (int i = 0; i < 5; ++i) size.took(size.get(), 0.001);
  EXPECT_EQ(size.get(), BurstSize::kMost);
  for (int i = 0; i < 10; ++i) size.took(size.get(), 0.06);
  EXPECT_EQ(size.get(), 1);
  BurstSize fixed(5);
  fixed.took(5, 1);
  EXPECT_EQ(fixed.get(), 5);
}

}  // namespace
}  // namespace weft
