#include "story_support.h"

#include <cmath>

#include "base/json.h"

namespace weft::test {

std::optional<StoryReference> stories260k_reference() {
  const auto path = shared_data("lm/stories260K/stories260K_nll.json");
  if (!path) return std::nullopt;
  const auto json = parse_json(read_text(*path), *path);
  StoryReference reference;
  reference.greedy = (*json)["greedy_from_bos_ids"].get<std::vector<int32_t>>();
  reference.logits_ids = (*json)["logits64_ids"].get<std::vector<int32_t>>();
  for (const Json& story : (*json)["stories"])
    reference.stories.push_back({story["ids"].get<std::vector<int32_t>>(), story["mean_nll"].get<double>()});
  return reference;
}

std::optional<std::string> stories260k(const std::string& format) {
  return shared_data("lm/stories260K/stories260K-" + format + ".gguf");
}

std::optional<std::string> default_model() {
  for (const std::string& path : files_in(source_dir() + "/models"))
    if (path.ends_with(".gguf")) return path;
  return std::nullopt;
}

Result<std::unique_ptr<LanguageModel>> load(Host& host, const std::string& path, LoadOptions options) {
  return run(LanguageModel::load(host, path, std::move(options)));
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

GenerateRequest greedy(std::vector<int32_t> prompt, int64_t count) {
  return {.prompt = std::move(prompt), .max_tokens = count, .sampling = {.temperature = 0}};
}

double mean_nll(Session& session, std::span<const int32_t> ids, int64_t vocab) {
  double sum = 0;
  const Status status = run(session.logits(ids, [&](int64_t first, std::span<const float> rows) {
    for (size_t row = 0; row * vocab < rows.size(); ++row) {
      const size_t next = static_cast<size_t>(first) + row + 1;
      if (next == ids.size()) break;
      const auto logits = rows.subspan(row * vocab, vocab);
      double top = -1e30, total = 0;
      for (float x : logits) top = std::max<double>(top, x);
      for (float x : logits) total += std::exp(x - top);
      sum += top + std::log(total) - logits[ids[next]];
    }
    return Status{};
  }));
  EXPECT_TRUE(status.has_value()) << status.error().message();
  return sum / static_cast<double>(ids.size() - 1);
}

}  // namespace weft::test
