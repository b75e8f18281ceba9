#include "session_support.h"

#include "base/json.h"

namespace weft::test {

std::vector<GoldenPrompt> golden_prompts(const std::string& name) {
  const auto json = parse_json(read_text(golden_dir(name) + "/golden.json"), name);
  std::vector<GoldenPrompt> prompts;
  for (const Json& prompt : (*json)["prompts"])
    prompts.push_back({prompt["ids"].get<std::vector<int32_t>>(), prompt["greedy"].get<std::vector<int32_t>>()});
  return prompts;
}

std::unique_ptr<LanguageModel> load_golden(Host& host, const std::string& name, LoadOptions options) {
  auto model = run(LanguageModel::load(host, golden_dir(name) + "/model.gguf", std::move(options)));
  EXPECT_TRUE(model.has_value()) << model.error().message();
  return model ? *std::move(model) : nullptr;
}

std::unique_ptr<Session> new_session(LanguageModel& model) {
  auto session = run(model.new_session());
  EXPECT_TRUE(session.has_value()) << session.error().message();
  return session ? *std::move(session) : nullptr;
}

Generated generate(Session& session, GenerateRequest request, std::function<void(const TokenEvent&)> on_token) {
  auto generated = run(session.generate(std::move(request), std::move(on_token)));
  EXPECT_TRUE(generated.has_value()) << generated.error().message();
  return generated ? *std::move(generated) : Generated{};
}

GenerateRequest greedy_request(std::vector<int32_t> prompt, int64_t count) {
  return {.prompt = std::move(prompt), .max_tokens = count, .sampling = {.temperature = 0}, .ignore_end = true};
}

MemoryWeights::MemoryWeights(const Model& model, const std::map<std::string, std::vector<float>>& values) {
  for (const WeightDecl& weight : model.weights) values_.push_back(values.find(weight.name)->second);
}

Task<Status> MemoryWeights::read_rows(int weight, int64_t,
                                      std::function<Status(int64_t, std::span<const std::byte>)> sink) {
  co_return sink(0, mapped(weight));
}

}  // namespace weft::test
