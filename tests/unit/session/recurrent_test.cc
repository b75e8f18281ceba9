// A session over a state that cannot be truncated: a toy with h = a * h + b by channel, where a and b come from the
// token. It rolls back by snapshot, saves, and keeps slots apart.
#include <cmath>
#include <random>

#include "graph/builder.h"
#include "session_support.h"

namespace weft {
namespace {

using namespace weft::test;

constexpr int64_t kVocab = 32, kWidth = 32;

struct Toy {
  Model model;
  std::map<std::string, std::vector<float>> weights;
};

Toy make_toy() {
  Toy toy;
  toy.model.architecture = "toy";
  toy.model.vocab_size = kVocab;
  toy.model.context_length = 200;
  toy.model.width = kWidth;
  toy.model.layers = 1;
  GraphBuilder g(toy.model, "decode");
  const ValueId ids = g.input("ids", DType::i32, {g.T()});
  const ValueId slots = g.input("slots", DType::i32, {g.T()});
  const ValueId rows = g.input("rows", DType::i32, {g.R()});
  const ValueId h = g.state("h", DType::f32, {g.symbol("N"), Dim{kWidth}}, Rollback::snapshot);
  const ValueId a = g.embedding(ids, g.weight("decay", DType::f32, {kVocab, kWidth}));
  const ValueId b = g.embedding(ids, g.weight("input", DType::f32, {kVocab, kWidth}));
  const auto [y, state] = g.linear_recurrence(h, a, b, slots);
  (void)state;
  g.output("logits", g.linear(g.gather_rows(y, rows), g.weight("head", DType::f32, {kVocab, kWidth})));
  EXPECT_OK(g.finish());
  std::mt19937 random(4);
  std::uniform_real_distribution<float> decay(0.7f, 0.99f);
  std::normal_distribution<float> normal(0, 1);
  for (const char* name : {"decay", "input", "head"}) {
    auto& values = toy.weights[name];
    for (int64_t i = 0; i < kVocab * kWidth; ++i) values.push_back(*name == 'd' ? decay(random) : normal(random));
  }
  return toy;
}

// Greedy continuation by the formula itself.
std::vector<int32_t> expected(const Toy& toy, std::vector<int32_t> ids, size_t count) {
  std::vector<double> h(kWidth);
  const auto& w = toy.weights;
  const auto read = [&](int32_t id) {
    for (int64_t c = 0; c < kWidth; ++c)
      h[c] = w.find("decay")->second[id * kWidth + c] * h[c] + w.find("input")->second[id * kWidth + c];
  };
  for (int32_t id : ids) read(id);
  std::vector<int32_t> out;
  while (out.size() < count) {
    int32_t best = 0;
    double top = -1e30;
    for (int32_t v = 0; v < kVocab; ++v) {
      double sum = 0;
      for (int64_t c = 0; c < kWidth; ++c) sum += w.find("head")->second[v * kWidth + c] * h[c];
      if (sum > top) top = sum, best = v;
    }
    out.push_back(best);
    read(best);
  }
  return out;
}

class RecurrentSession : public testing::Test {
 protected:
  std::unique_ptr<LanguageModel> create(int64_t chunk = 4, int64_t slots = 1) {
    auto reader = std::make_unique<MemoryWeights>(toy_.model, toy_.weights);
    auto model = run(LanguageModel::create(host_, toy_.model, std::move(reader),
                                           {.threads = 1, .prefill_chunk = chunk, .slots = slots}));
    EXPECT_TRUE(model.has_value()) << model.error().message();
    return model ? *std::move(model) : nullptr;
  }
  TestHost host_;
  Toy toy_ = make_toy();
  const std::vector<int32_t> prompt_{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
};

TEST_F(RecurrentSession, AnyChunk) {
  for (int64_t chunk : {1, 2, 4, 7, 128}) {
    auto model = create(chunk);
    ASSERT_NE(model, nullptr);
    auto session = new_session(*model);
    EXPECT_EQ(generate(*session, greedy_request(prompt_, 20)).ids, expected(toy_, prompt_, 20)) << chunk;
  }
}

TEST_F(RecurrentSession, RollsBackToTheSnapshotOrRecomputes) {
  auto model = create();
  auto session = new_session(*model);
  generate(*session, greedy_request(prompt_, 5));
  // The same prompt again: the copy before its last token serves.
  Generated out = generate(*session, greedy_request(prompt_, 20));
  EXPECT_EQ(out.ids, expected(toy_, prompt_, 20));
  EXPECT_EQ(out.stats.kept_tokens, static_cast<int64_t>(prompt_.size()) - 1);
  // The next turn: nothing to roll back.
  std::vector<int32_t> longer = session->tokens();
  longer.insert(longer.end(), {7, 7, 7});
  out = generate(*session, greedy_request(longer, 20));
  EXPECT_EQ(out.ids, expected(toy_, longer, 20));
  EXPECT_EQ(out.stats.kept_tokens, static_cast<int64_t>(longer.size()) - 3);
  // Another way after four tokens: no copy is that old, all is computed again.
  std::vector<int32_t> other(prompt_.begin(), prompt_.begin() + 4);
  other.insert(other.end(), {8, 8});
  out = generate(*session, greedy_request(other, 20));
  EXPECT_EQ(out.ids, expected(toy_, other, 20));
  EXPECT_EQ(out.stats.kept_tokens, 0);
}

TEST_F(RecurrentSession, TruncateRecomputesWhatItMust) {
  auto model = create();
  auto session = new_session(*model);
  generate(*session, greedy_request(prompt_, 9));
  for (int64_t keep : {15, 10, 6, 1}) {
    ASSERT_OK(run(session->truncate(keep)));
    ASSERT_EQ(session->tokens().size(), static_cast<size_t>(keep));
    std::vector<int32_t> next = session->tokens();
    ASSERT_OK_AND(const auto bytes, run(session->save()));
    next.push_back(11);
    EXPECT_EQ(generate(*session, greedy_request(next, 6)).ids, expected(toy_, next, 6)) << keep;
    ASSERT_OK(run(session->restore(bytes)));
    const Generated out = generate(*session, greedy_request(next, 6));
    EXPECT_EQ(out.ids, expected(toy_, next, 6)) << "restored at " << keep;
    EXPECT_EQ(out.stats.prefill_tokens, 1);
    ASSERT_OK(run(session->restore(bytes)));
  }
}

TEST_F(RecurrentSession, SlotsAndReuseOfASlot) {
  auto model = create(4, 2);
  auto a = new_session(*model), b = new_session(*model);
  const std::vector<int32_t> other{30, 20, 10};
  EXPECT_EQ(generate(*a, greedy_request(prompt_, 10)).ids, expected(toy_, prompt_, 10));
  EXPECT_EQ(generate(*b, greedy_request(other, 10)).ids, expected(toy_, other, 10));
  a.reset();
  a = new_session(*model);  // the slot's old state must be gone
  EXPECT_EQ(generate(*a, greedy_request(other, 10)).ids, expected(toy_, other, 10));
  EXPECT_OK(run(b->reset()));
  EXPECT_EQ(generate(*b, greedy_request(prompt_, 10)).ids, expected(toy_, prompt_, 10));
}

TEST_F(RecurrentSession, ACancelledStepLeavesAUsableState) {
  auto model = create();
  auto session = new_session(*model);
  CancelFlag cancel;
  auto request = greedy_request(prompt_, 20);
  request.cancel = &cancel;
  generate(*session, request, [&](const TokenEvent&) { cancel.cancel(); });
  cancel.reset();
  EXPECT_EQ(generate(*session, request).ids, expected(toy_, prompt_, 20));
}

}  // namespace
}  // namespace weft
