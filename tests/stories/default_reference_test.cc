// The default model against tools/train_default_model/reference.json: ids and likelihoods that an independent float64
// implementation computed from the dequantised weights of the very file that ships, and ids of its tokenizer.
#include <cmath>

#include "base/json.h"
#include "native_host.h"
#include "story_support.h"

namespace weft {
namespace {

using namespace weft::test;

class DefaultReference : public testing::Test {
 protected:
  void SetUp() override {
    const auto path = default_model();
    ASSERT_TRUE(path) << "the default model is part of the project";
    path_ = *path;
    ASSERT_OK_AND(reference_,
                  parse_json(read_text(source_dir() + "/tools/train_default_model/reference.json"), "reference.json"));
  }
  std::unique_ptr<LanguageModel> open(DType kv, std::vector<std::string> disabled_passes) {
    auto model = load(host_, path_, {.kv = kv, .disabled_passes = std::move(disabled_passes)});
    EXPECT_TRUE(model.has_value());
    return model ? *std::move(model) : nullptr;
  }
  static std::vector<int32_t> ids_of(const Json& value) { return value.get<std::vector<int32_t>>(); }
  NativeHost host_;
  std::string path_;
  Json reference_;
};

TEST_F(DefaultReference, TokenizerGivesTheIdsOfTheOneItWasTrainedWith) {
  const auto model = open(DType::f16, {});
  ASSERT_OK_AND(const Tokenizer* tokenizer, model->require_tokenizer());
  ASSERT_GE(reference_["tokenizer"].size(), 5u);
  for (const Json& row : reference_["tokenizer"]) {
    const auto text = row["text"].get<std::string>();
    ASSERT_OK_AND(const auto ids, tokenizer->encode(text, {.add_bos = false}));
    EXPECT_EQ(ids, ids_of(row["ids"])) << text;
  }
}

// Without passes activations are not quantised: then only the order of float sums differs.
TEST_F(DefaultReference, ExactPathGivesTheGreedyIds) {
  const auto model = open(DType::f32, {"*"});
  for (const Json& row : reference_["prompts"]) {
    auto session = new_session(*model);
    GenerateRequest request = greedy(ids_of(row["ids"]), 64);
    request.ignore_end = true;
    EXPECT_EQ(generate(*session, request).ids, ids_of(row["greedy"])) << row["text"].get<std::string>();
  }
}

// The path that ships rounds activations to eight bits. Its ids are the reference's, or the first that differs follows
// a step whose two best logits were nearer than the error that rounding makes.
TEST_F(DefaultReference, ShippedPathLeavesTheGreedyIdsOnlyAtNearTies) {
  const auto model = open(DType::f16, {});
  const auto exact = open(DType::f32, {"*"});
  const int64_t vocab = model->model().vocab_size;
  for (const Json& row : reference_["prompts"]) {
    std::vector<int32_t> ids = ids_of(row["ids"]);
    const std::vector<int32_t> wanted = ids_of(row["greedy"]);
    auto session = new_session(*model);
    GenerateRequest request = greedy(ids, 64);
    request.ignore_end = true;
    const auto got = generate(*session, request).ids;
    size_t same = 0;
    while (same < got.size() && got[same] == wanted[same]) ++same;
    std::printf("[ figure   ] '%s': %zu of 64 ids as in float64\n", row["text"].get<std::string>().c_str(), same);
    if (same == wanted.size()) continue;
    ids.insert(ids.end(), wanted.begin(), wanted.begin() + static_cast<int64_t>(same));
    std::vector<float> rows[2];
    const LanguageModel* const models[2] = {model.get(), exact.get()};
    for (int i = 0; i < 2; ++i) {
      auto fresh = new_session(const_cast<LanguageModel&>(*models[i]));
      ASSERT_OK(run(fresh->logits(ids, [&](int64_t, std::span<const float> part) {
        rows[i].assign(part.end() - vocab, part.end());
        return Status{};
      })));
    }
    float error = 0;
    for (int64_t v = 0; v < vocab; ++v) error = std::max(error, std::abs(rows[0][v] - rows[1][v]));
    const float gap = rows[1][wanted[same]] - rows[1][got[same]];
    EXPECT_LE(gap, 2 * error) << "leaves the reference at a gap of " << gap << " with logit errors up to " << error;
  }
}

TEST_F(DefaultReference, LikelihoodOfEveryToken) {
  const Json& nll = reference_["nll"];
  const std::vector<int32_t> ids = ids_of(nll["ids"]);
  const auto wanted = nll["nats"].get<std::vector<double>>();
  ASSERT_EQ(wanted.size() + 1, ids.size());
  const auto exact = open(DType::f32, {"*"});
  auto session = new_session(*exact);
  const int64_t vocab = exact->model().vocab_size;
  double worst = 0;
  ASSERT_OK(run(session->logits(ids, [&](int64_t first, std::span<const float> rows) {
    for (size_t r = 0; r < rows.size() / vocab; ++r) {
      const size_t t = static_cast<size_t>(first) + r;
      if (t + 1 >= ids.size()) break;
      double sum = 0;
      for (int64_t v = 0; v < vocab; ++v) sum += std::exp(static_cast<double>(rows[r * vocab + v]));
      worst = std::max(worst, std::abs(std::log(sum) - rows[r * vocab + ids[t + 1]] - wanted[t]));
    }
    return Status{};
  })));
  std::printf("[ figure   ] largest error of a token's likelihood on the exact path: %.2g\n", worst);
  EXPECT_LT(worst, 1e-3);
  const auto shipped = open(DType::f16, {});
  auto fast = new_session(*shipped);
  const double mean = mean_nll(*fast, ids, vocab);
  std::printf("[ figure   ] mean likelihood on the shipped path %.5f, float64 %.5f\n", mean,
              nll["nats_per_token"].get<double>());
  EXPECT_NEAR(mean, nll["nats_per_token"].get<double>(), 1e-2);
}

}  // namespace
}  // namespace weft
