// The project's own model, end to end: what the README shows must be what it does. reference.json holds ids and
// likelihoods that an independent float64 implementation computed from the same file.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "base/utf8.h"
#include "native_host.h"
#include "session/chat.h"
#include "story_support.h"

namespace weft {
namespace {

using namespace weft::test;

// Each story is told by the default model and by the shared one.
class StoryModel : public testing::TestWithParam<const char*> {
 protected:
  void open(LoadOptions options) {
    if (model_) return;
    path_ = std::string_view(GetParam()) == "default" ? default_model() : stories260k("q8_0");
    if (!path_) GTEST_SKIP() << "skipped: no such model here";
    ASSERT_OK_AND(model_, load(host_, *path_, std::move(options)));
    session_ = new_session(*model_);
    ASSERT_OK_AND(tokenizer_, model_->require_tokenizer());
    ASSERT_OK_AND(prompt_, tokenizer_->encode("Once upon a time"));
  }
  NativeHost host_;
  std::optional<std::string> path_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Session> session_;
  const Tokenizer* tokenizer_ = nullptr;
  std::vector<int32_t> prompt_;
};
INSTANTIATE_TEST_SUITE_P(Models, StoryModel, testing::Values("default", "stories260K"),
                         [](const auto& info) { return std::string(info.param); });

#define MODEL_OR_SKIP(...)        \
  open(LoadOptions{__VA_ARGS__}); \
  if (!model_) return

TEST_P(StoryModel, TellsTheSameStoryWithAnyThreadsAndChunks) {
  MODEL_OR_SKIP(.threads = 1);
  GenerateRequest request{.prompt = prompt_, .max_tokens = 150, .sampling = {.seed = 7}};
  const Generated wanted = generate(*session_, request);
  EXPECT_GT(wanted.text.size(), 200u);
  for (int threads : {1, 2}) {
    for (int64_t chunk : {1, 2, 128}) {
      ASSERT_OK_AND(auto other, load(host_, *path_, {.threads = threads, .prefill_chunk = chunk}));
      auto fresh = new_session(*other);
      EXPECT_EQ(generate(*fresh, request).ids, wanted.ids) << threads << " threads, chunk " << chunk;
    }
  }
}

TEST_P(StoryModel, PrefixReuseIsTheSameAsAFreshRun) {
  MODEL_OR_SKIP(.threads = 2);
  std::vector<int32_t> conversation = prompt_;
  for (int turn = 0; turn < 3; ++turn) {
    const Generated reused = generate(*session_, greedy(conversation, 30));
    ASSERT_OK_AND(auto other, load(host_, *path_, {.threads = 2}));
    auto fresh = new_session(*other);
    EXPECT_EQ(generate(*fresh, greedy(conversation, 30)).ids, reused.ids) << "turn " << turn;
    if (turn > 0) EXPECT_GT(reused.stats.kept_tokens, 20);
    conversation.insert(conversation.end(), reused.ids.begin(), reused.ids.end());
    ASSERT_OK_AND(const auto more, tokenizer_->encode(" Then a dog came.", {.add_bos = false}));
    conversation.insert(conversation.end(), more.begin(), more.end());
  }
}

TEST_P(StoryModel, SaveReloadRestore) {
  MODEL_OR_SKIP(.threads = 1);
  const Generated first = generate(*session_, greedy(prompt_, 25));
  ASSERT_OK_AND(const auto bytes, run(session_->save()));
  std::vector<int32_t> longer = prompt_;
  longer.insert(longer.end(), first.ids.begin(), first.ids.end());
  const Generated next = generate(*session_, greedy(longer, 25));
  session_.reset();
  model_.reset();
  ASSERT_OK_AND(auto again, load(host_, *path_, {.threads = 1}));
  auto restored = new_session(*again);
  ASSERT_OK(run(restored->restore(bytes)));
  const Generated resumed = generate(*restored, greedy(longer, 25));
  EXPECT_EQ(resumed.ids, next.ids);
  EXPECT_EQ(resumed.stats.prefill_tokens, 1);
}

TEST_P(StoryModel, CancelThenGoOn) {
  MODEL_OR_SKIP(.threads = 2);
  const Generated whole = generate(*session_, greedy(prompt_, 40));
  CancelFlag cancel;
  GenerateRequest request = greedy(prompt_, 40);
  request.cancel = &cancel;
  int seen = 0;
  const Generated part = generate(*session_, request, [&](const TokenEvent&) {
    if (++seen == 10) cancel.cancel();
  });
  EXPECT_EQ(part.stop, StopReason::cancelled);
  EXPECT_EQ(part.ids.size(), 10u);
  EXPECT_TRUE(whole.text.starts_with(part.text));
  cancel.reset();
  EXPECT_EQ(generate(*session_, request).ids, whole.ids);
}

TEST_P(StoryModel, ContextFull) {
  MODEL_OR_SKIP(.threads = 1, .context = 40);
  GenerateRequest request = greedy(prompt_, -1);
  request.ignore_end = true;
  const Generated out = generate(*session_, request);
  EXPECT_EQ(out.stop, StopReason::context_full);
  EXPECT_EQ(out.ids.size(), 40 - prompt_.size() + 1);
}

TEST_P(StoryModel, StopStringsAcrossTokens) {
  MODEL_OR_SKIP(.threads = 1);
  const Generated whole = generate(*session_, greedy(prompt_, 60));
  ASSERT_GT(whole.text.size(), 60u);
  for (size_t at = 5; at + 7 < whole.text.size(); at += 11) {
    GenerateRequest request = greedy(prompt_, 60);
    request.stop = {whole.text.substr(at, 7)};
    if (!valid_utf8(request.stop[0])) continue;
    std::string streamed;
    const Generated out = generate(*session_, request, [&](const TokenEvent& e) { streamed += e.text; });
    EXPECT_EQ(out.text, whole.text.substr(0, whole.text.find(request.stop[0])));
    EXPECT_EQ(streamed, out.text);
    EXPECT_EQ(out.stop, StopReason::stop_string);
  }
}

TEST_P(StoryModel, Chat) {
  MODEL_OR_SKIP(.threads = 1);
  auto chat = ChatPrompt::create(*model_);
  if (model_->chat_template().empty()) {  // a model that continues stories: told apart from a failure
    EXPECT_ERROR(Code::no_template, chat);
    chat = ChatPrompt::create(*model_, "{{ bos_token }}{% for m in messages %}{{ m.content }}\n{% endfor %}");
  }
  ASSERT_OK(chat);
  ASSERT_OK_AND(auto messages, parse_ordered_json(R"([{"role":"user","content":"Tell me about a cat."}])", "test"));
  std::vector<std::string> answers;
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_OK_AND(const auto ids, chat->ids(messages));
    const Generated out = generate(*session_, greedy(ids, 20));
    if (turn > 0) EXPECT_GT(out.stats.kept_tokens, 3);
    messages.push_back({{"role", "assistant"}, {"content", out.text}});
    messages.push_back({{"role", "user"}, {"content", "And then?"}});
  }
  EXPECT_ERROR(Code::invalid_argument, chat->text(OrderedJson::array()));
  EXPECT_ERROR(Code::invalid_argument, chat->text({{"role", "user"}}));
}

}  // namespace
}  // namespace weft
