// The graphs that src/models build, run by the interpreter in float: every activation, then greedy tokens.
#include <algorithm>
#include <cmath>

#include "golden_support.h"

namespace weft::test {
namespace {

constexpr int64_t kCells = 96;

class GoldenInterpreter : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    auto [name, form] = GetParam();
    ASSERT_OK_AND(golden_, open_golden(name, form, DType::f32));
    graph_ = golden_->model.graph("decode");
    ASSERT_NE(graph_, nullptr);
  }
  void reset() { golden_->interpreter->reset_states({{"N", 1}, {"S", kCells}}); }

  std::unique_ptr<Golden> golden_;
  const Graph* graph_ = nullptr;
};

TEST_P(GoldenInterpreter, EveryActivationAsPrefillAndTokenByToken) {
  const auto length = static_cast<int64_t>(golden_->reference.ids.size());
  for (int64_t chunk : {length, int64_t{1}, int64_t{7}}) {
    reset();
    ASSERT_OK_AND(const VerifyReport report,
                  run(verify_activations(golden_->reference, chunk, interpreter_step(*golden_->interpreter, *graph_),
                                         {.absolute = golden_->atol / 10, .relative = golden_->rtol / 10})));
    EXPECT_EQ(report.first_miss, "") << report.detail << ", chunks of " << chunk;
    // All of the reference and both caches of each layer.
    EXPECT_EQ(report.checked, static_cast<int64_t>(golden_->reference.activations.size()) + 2 * golden_->model.layers);
    RecordProperty("checked_" + std::to_string(chunk), std::to_string(report.checked));
    RecordProperty("max_abs_" + std::to_string(chunk), std::to_string(report.max_abs));
    std::printf("%s, %s, chunks of %lld: %lld values, %lld numbers, max |a-b| %.2g, max rel %.2g\n",
                std::get<0>(GetParam()), std::get<1>(GetParam()), static_cast<long long>(chunk),
                static_cast<long long>(report.checked), static_cast<long long>(report.elements), report.max_abs,
                report.max_rel);
  }
}

TEST_P(GoldenInterpreter, GreedyTokens) {
  for (const Prompt& prompt : golden_->prompts) {
    reset();
    ASSERT_OK_AND(const std::vector<int32_t> ids, greedy(*golden_->interpreter, *graph_, prompt));
    EXPECT_EQ(ids, prompt.greedy) << "prompt of " << prompt.ids.size() << " tokens";
  }
}

// The second graph of the model: the same layers from rows of [T, C] in place of ids.
TEST_P(GoldenInterpreter, EmbeddingsInPlaceOfIds) {
  const auto& acts = golden_->reference.activations;
  ASSERT_EQ(acts.front().first, "embed_tokens");
  const auto rows = static_cast<int32_t>(golden_->reference.ids.size());
  HostTensor cells{.shape = {rows}, .is_i32 = true};
  for (int32_t i = 0; i < rows; ++i) cells.i32.push_back(i);
  HostTensor slots = cells, positions = cells;
  slots.i32.assign(static_cast<size_t>(rows), 0);
  positions.shape = {rows, 1};
  reset();
  ASSERT_OK_AND(const auto out, golden_->interpreter->run(*golden_->model.graph("decode_embeddings"),
                                                          {{"embeddings", acts.front().second},
                                                           {"positions", positions},
                                                           {"slots", slots},
                                                           {"cells", cells},
                                                           {"rows", cells}}));
  const HostTensor &logits = out.at("logits"), &want = acts.back().second;
  ASSERT_EQ(logits.shape, want.shape);
  for (size_t i = 0; i < want.f32.size(); ++i)
    ASSERT_NEAR(logits.f32[i], want.f32[i], 1e-4 + 1e-4 * std::abs(want.f32[i]));
}

std::string test_name(const testing::TestParamInfo<GoldenInterpreter::ParamType>& info) {
  std::string name = std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, GoldenInterpreter,
                         testing::Combine(testing::ValuesIn(kGoldens), testing::Values("model.gguf", "hf")), test_name);
INSTANTIATE_TEST_SUITE_P(Sharded, GoldenInterpreter, testing::Values(std::tuple("qwen2", "hf_sharded")), test_name);

// A check that cannot fail is none: disturb one number of one activation in the middle.
TEST(GoldenCheck, NamesTheFirstMiss) {
  ASSERT_OK_AND(auto golden, open_golden("llama", "model.gguf", DType::f32));
  for (auto& [name, values] : golden->reference.activations) {
    if (name == "layers.1.mlp.act") values.f32[200] += 0.01f;
  }
  golden->interpreter->reset_states({{"N", 1}, {"S", kCells}});
  ASSERT_OK_AND(const VerifyReport report,
                run(verify_activations(golden->reference, 17,
                                       interpreter_step(*golden->interpreter, *golden->model.graph("decode")), {})));
  EXPECT_EQ(report.first_miss, "layers.1.mlp.act");
  EXPECT_NE(report.detail.find("element 200"), std::string::npos) << report.detail;
}

}  // namespace
}  // namespace weft::test
