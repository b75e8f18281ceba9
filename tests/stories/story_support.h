// Models with stories: the shared 260K-parameter one, and the project's own default model.
#pragma once

#include <optional>

#include "session/session.h"
#include "support/support.h"

namespace weft::test {

struct Story {
  std::vector<int32_t> ids;
  double mean_nll = 0;
};
struct StoryReference {
  std::vector<int32_t> greedy;  // from the beginning-of-text token, which it contains
  std::vector<Story> stories;
  std::vector<int32_t> logits_ids;  // what stories260K_logits64.npy is about
};
// stories260K_nll.json; nullopt without shared data.
std::optional<StoryReference> stories260k_reference();
std::optional<std::string> stories260k(const std::string& format);  // path of stories260K-<format>.gguf
// models/*.gguf
std::optional<std::string> default_model();

Result<std::unique_ptr<LanguageModel>> load(Host& host, const std::string& path, LoadOptions options);
std::unique_ptr<Session> new_session(LanguageModel& model);
Generated generate(Session& session, GenerateRequest request, std::function<void(const TokenEvent&)> on_token = {});
GenerateRequest greedy(std::vector<int32_t> prompt, int64_t count);
// Mean negative natural-log likelihood of tokens 2…n.
double mean_nll(Session& session, std::span<const int32_t> ids, int64_t vocab);

}  // namespace weft::test
