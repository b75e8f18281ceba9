// libweft as a program sees it: weft.h and weft.hpp only, with the built-in model or the shared one.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "support/support.h"
#include "weft/weft.h"

namespace {

// A model with a tokenizer: the committed default model, else the shared one.
std::string model_path() {
  for (const auto& entry : std::filesystem::directory_iterator(weft::test::source_dir() + "/models"))
    if (entry.path().extension() == ".gguf") return entry.path().string();
  return weft::test::shared_data("lm/stories260K/stories260K-q8_0.gguf").value_or("");
}

class CApi : public testing::Test {
 protected:
  void SetUp() override {
    path_ = model_path();
    if (path_.empty()) GTEST_SKIP() << "skipped: no shared data";
    weft_load_options options;
    weft_load_options_init(&options, sizeof options);
    options.threads = 1;
    options.sessions = 2;
    ASSERT_EQ(weft_load(path_.c_str(), &options, &model_, &error_), 0) << error_.message;
    ASSERT_EQ(weft_session_new(model_, &session_, &error_), 0) << error_.message;
    weft_generate_options_init(&options_, sizeof options_);
    options_.max_tokens = 30;
    options_.ignore_end = 1;
  }
  void TearDown() override {
    weft_session_free(session_);
    weft_model_free(model_);
  }
  std::string generate(const char* prompt) {
    weft_result* result = nullptr;
    EXPECT_EQ(weft_generate(session_, prompt, &options_, &result, &error_), 0) << error_.message;
    if (!result) return {};
    size_t length = 0;
    const std::string text(weft_result_text(result, &length));
    EXPECT_EQ(text.size(), length);
    weft_result_free(result);
    return text;
  }

  std::string path_;
  weft_model* model_ = nullptr;
  weft_session* session_ = nullptr;
  weft_generate_options options_;
  weft_error error_;
};

struct Stream {
  std::string text;
  int tokens = 0;
  int stop_after = -1;
  weft_session* cancel = nullptr;
};

int collect(void* user, const weft_token* token) {
  auto& stream = *static_cast<Stream*>(user);
  EXPECT_EQ(token->size, sizeof(weft_token));
  EXPECT_EQ(std::strlen(token->text), token->text_length);
  stream.text.append(token->text, token->text_length);
  ++stream.tokens;
  if (stream.cancel) weft_cancel(stream.cancel);
  return stream.tokens == stream.stop_after;
}

TEST_F(CApi, StreamsWhatItReturns) {
  Stream stream;
  options_.on_token = collect;
  options_.user = &stream;
  options_.logprobs = 2;
  weft_result* result = nullptr;
  ASSERT_EQ(weft_generate(session_, "Once upon a time", &options_, &result, &error_), 0) << error_.message;
  EXPECT_EQ(stream.text, weft_result_text(result, nullptr));
  size_t count = 0;
  const int32_t* ids = weft_result_ids(result, &count);
  EXPECT_EQ(count, 30u);
  EXPECT_NE(ids, nullptr);
  EXPECT_STREQ(weft_result_stop(result), "max-tokens");
  const std::string json = weft_result_json(result);
  for (const char* key :
       {"prompt_ids", "ids", "text", "stop", "stats", "device", "kernels", "load_ms", "ttft_ms", "prefill_tokens",
        "prefill_tps", "decode_tokens", "decode_tps", "submit_us", "peak_bytes", "logprobs"})
    EXPECT_TRUE(json.contains("\"" + std::string(key) + "\"")) << key;
  weft_result_free(result);

  const std::string again = generate("Once upon a time");
  EXPECT_EQ(again, stream.text.substr(0, again.size()));
  EXPECT_EQ(error_.code, 0);
  EXPECT_STREQ(error_.name, "ok");
}

TEST_F(CApi, StopsWhereTheCallbackOrAnotherThreadSays) {
  Stream stream;
  stream.stop_after = 3;
  options_.on_token = collect;
  options_.user = &stream;
  weft_result* result = nullptr;
  ASSERT_EQ(weft_generate(session_, "Once", &options_, &result, &error_), 0);
  EXPECT_STREQ(weft_result_stop(result), "cancelled");
  EXPECT_EQ(stream.tokens, 3);
  weft_result_free(result);

  stream = {};
  stream.cancel = session_;  // from within the callback
  ASSERT_EQ(weft_generate(session_, "Once", &options_, &result, &error_), 0);
  EXPECT_STREQ(weft_result_stop(result), "cancelled");
  EXPECT_EQ(stream.tokens, 1);
  weft_result_free(result);

  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      weft_cancel(session_);
      std::this_thread::yield();
    }
  });
  options_.on_token = nullptr;
  options_.max_tokens = -1;
  ASSERT_EQ(weft_generate(session_, "Once", &options_, &result, &error_), 0);
  done = true;
  other.join();
  EXPECT_STREQ(weft_result_stop(result), "cancelled");
  weft_result_free(result);
  options_.max_tokens = 5;
  EXPECT_FALSE(generate("Once").empty());  // an old cancel does not stop a new call
}

TEST_F(CApi, ThreadsTakeTurns) {
  options_.temperature = 0;
  const std::string wanted = generate("Once upon a time");
  weft_session* second = nullptr;
  ASSERT_EQ(weft_session_new(model_, &second, &error_), 0) << error_.message;
  weft_session* third = nullptr;
  EXPECT_NE(weft_session_new(model_, &third, &error_), 0);
  EXPECT_STREQ(error_.name, "invalid-argument");
  const auto work = [&](weft_session* session) {
    for (int i = 0; i < 5; ++i) {
      weft_result* result = nullptr;
      weft_error error;
      ASSERT_EQ(weft_generate(session, "Once upon a time", &options_, &result, &error), 0) << error.message;
      EXPECT_EQ(weft_result_text(result, nullptr), wanted);
      weft_result_free(result);
    }
  };
  std::thread a([&] { work(session_); }), b([&] { work(second); });
  a.join();
  b.join();
  weft_session_free(second);
}

TEST_F(CApi, TokensThereAndBack) {
  int32_t* ids = nullptr;
  size_t count = 0;
  const std::string text = "Once upon a time, there was a cat.";
  ASSERT_EQ(weft_tokenize(model_, text.data(), text.size(), WEFT_TOKENIZE_NO_BOS, &ids, &count, &error_), 0);
  ASSERT_GT(count, 3u);
  char* back = nullptr;
  size_t length = 0;
  ASSERT_EQ(weft_detokenize(model_, ids, count, &back, &length, &error_), 0);
  EXPECT_EQ(std::string(back, length), text);
  weft_free(back);

  // The same tokens as prompt give the same answer.
  int32_t* with_bos = nullptr;
  size_t with_bos_count = 0;
  ASSERT_EQ(weft_tokenize(model_, text.data(), text.size(), 0, &with_bos, &with_bos_count, &error_), 0);
  options_.temperature = 0;
  weft_result* result = nullptr;
  ASSERT_EQ(weft_generate_ids(session_, with_bos, with_bos_count, &options_, &result, &error_), 0) << error_.message;
  const std::string by_ids = weft_result_text(result, nullptr);
  weft_result_free(result);
  EXPECT_EQ(generate(text.c_str()), by_ids);
  weft_free(ids);
  weft_free(with_bos);
}

TEST_F(CApi, SaveResetRestore) {
  options_.temperature = 0;
  const std::string first = generate("Once upon a time");
  void* bytes = nullptr;
  size_t size = 0;
  ASSERT_EQ(weft_session_save(session_, &bytes, &size, &error_), 0);
  ASSERT_EQ(weft_session_reset(session_, &error_), 0);
  ASSERT_EQ(weft_session_restore(session_, bytes, size, &error_), 0) << error_.message;
  EXPECT_EQ(generate("Once upon a time"), first);
  EXPECT_NE(weft_session_restore(session_, bytes, size / 2, &error_), 0);
  EXPECT_STREQ(error_.name, "bad-file");
  weft_free(bytes);
}

TEST_F(CApi, InfoIsJson) {
  char* json = nullptr;
  ASSERT_EQ(weft_model_info(model_, &json, &error_), 0);
  const std::string text(json);
  weft_free(json);
  for (const char* key : {"architecture", "parameters", "context", "vocabulary", "device", "memory"})
    EXPECT_TRUE(text.contains("\"" + std::string(key) + "\"")) << key;
}

TEST_F(CApi, ASessionOutlivesItsModel) {
  weft_model_free(model_);
  model_ = nullptr;
  EXPECT_FALSE(generate("Once").empty());
}

TEST_F(CApi, OptionsOfAnOlderAndANewerHeader) {
  options_.temperature = 0;
  options_.max_tokens = 4;
  const std::string wanted = generate("Once");
  options_.size = offsetof(weft_generate_options, top_k);  // knows max_tokens and temperature only
  options_.top_k = -5;
  EXPECT_EQ(generate("Once"), wanted);
  struct Newer {
    weft_generate_options known;
    char more[64];
  } newer;
  weft_generate_options_init(&newer.known, sizeof newer);
  EXPECT_EQ(newer.known.size, sizeof newer);
  for (char c : newer.more) EXPECT_EQ(c, 0);
  newer.known.temperature = 0;
  newer.known.max_tokens = 4;
  weft_result* result = nullptr;
  ASSERT_EQ(weft_generate(session_, "Once", &newer.known, &result, &error_), 0) << error_.message;
  weft_result_free(result);
  options_.size = 0;
  EXPECT_NE(weft_generate(session_, "Once", &options_, nullptr, &error_), 0);
}

TEST_F(CApi, WrongUseIsAnError) {
  EXPECT_NE(weft_generate(session_, nullptr, &options_, nullptr, &error_), 0);
  EXPECT_STREQ(error_.name, "invalid-argument");
  EXPECT_NE(weft_generate(nullptr, "x", &options_, nullptr, nullptr), 0);
  EXPECT_NE(weft_session_new(nullptr, &session_, &error_), 0);
  EXPECT_NE(weft_load(path_.c_str(), nullptr, nullptr, &error_), 0);
  EXPECT_NE(weft_chat(session_, "{not json", &options_, nullptr, &error_), 0);
  options_.top_p = std::nanf("");
  EXPECT_NE(weft_generate(session_, "x", &options_, nullptr, &error_), 0);
  options_.top_p = 1;
  options_.stop_count = 1;
  EXPECT_NE(weft_generate(session_, "x", &options_, nullptr, &error_), 0);
  const char* stops[] = {"x", nullptr};
  options_.stop = stops;
  options_.stop_count = 2;
  EXPECT_NE(weft_generate(session_, "x", &options_, nullptr, &error_), 0);
  const int32_t out_of_range[] = {1 << 30};
  options_.stop_count = 0;
  EXPECT_NE(weft_generate_ids(session_, out_of_range, 1, &options_, nullptr, &error_), 0);
  weft_model_free(nullptr);
  weft_session_free(nullptr);
  weft_result_free(nullptr);
  weft_free(nullptr);
  weft_cancel(nullptr);
}

TEST(CApiLoad, ErrorsNameTheFile) {
  weft_model* model = nullptr;
  weft_error error;
  EXPECT_NE(weft_load("/absent/model.gguf", nullptr, &model, &error), 0);
  EXPECT_STREQ(error.name, "not-found");
  EXPECT_NE(std::strstr(error.message, "/absent/model.gguf"), nullptr) << error.message;
  EXPECT_EQ(std::strchr(error.message, '\n'), nullptr);
  EXPECT_EQ(model, nullptr);
  const std::string png = weft::test::temp_path("picture.png");
  weft::test::write_text(png, "\x89PNG\r\n\x1a\n0000000000000000000000");
  EXPECT_NE(weft_load(png.c_str(), nullptr, &model, &error), 0);
  EXPECT_STREQ(error.name, "bad-file");
  EXPECT_NE(weft_load(weft::test::source_dir().c_str(), nullptr, &model, &error), 0);
  const std::string long_name(3000, 'n');
  EXPECT_NE(weft_load(long_name.c_str(), nullptr, &model, &error), 0);
  EXPECT_LT(std::strlen(error.message), sizeof error.message);
}

TEST(CApiLoad, ProgressCanCancelAndLogsArrive) {
  const std::string path = model_path();
  if (path.empty()) GTEST_SKIP() << "skipped: no shared data";
  weft_load_options options;
  weft_load_options_init(&options, sizeof options);
  options.threads = 1;
  options.on_progress = [](void*, int64_t, int64_t) { return 1; };
  weft_model* model = nullptr;
  weft_error error;
  const int32_t code = weft_load(path.c_str(), &options, &model, &error);
  if (code != 0) EXPECT_STREQ(error.name, "cancelled");  // a model that needs no conversion is there at once
  if (code == 0) weft_model_free(model);
  std::string log;
  options.on_progress = nullptr;
  options.user = &log;
  options.on_log = [](void* user, weft_log_level, const char* text) { *static_cast<std::string*>(user) += text; };
  ASSERT_EQ(weft_load(path.c_str(), &options, &model, &error), 0) << error.message;
  EXPECT_TRUE(log.contains("needs ")) << log;
  weft_model_free(model);
  options.device = "webgpu";
  EXPECT_NE(weft_load(path.c_str(), &options, &model, &error), 0);
  EXPECT_STREQ(error.name, "no-device");
}

}  // namespace
