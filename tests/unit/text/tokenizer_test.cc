// Properties every tokenizer must have: round trips, streaming, hostile texts, special tokens.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/utf8.h"
#include "support/support.h"
#include "unit/text/data.h"

namespace weft::test {
namespace {

TEST(Tokenizer, RoundTrips) {
  if (!gguf_tokenizer("gpt-2")) GTEST_SKIP() << "skipped: no shared data";
  std::mt19937 random(11);
  for (const auto& tokenizer : {gguf_tokenizer("gpt-2"), gguf_tokenizer("qwen2"), gguf_tokenizer("llama-spm"),
                                gguf_tokenizer("phi-3"), json_tokenizer("phi-2"), json_tokenizer("whisper-tiny")}) {
    for (int i = 0; i < 400; ++i) {
      const std::string text = i % 2 ? random_utf8(random, 1 + i / 4) : random_bytes(random, 1 + i / 4);
      ASSERT_OK_AND(auto ids, tokenizer->encode(text, {.add_bos = i % 3 == 0, .parse_special = false}));
      ASSERT_EQ(tokenizer->decode(ids), text) << tokenizer->kind();
      for (int32_t id : ids) ASSERT_TRUE(id >= 0 && id < tokenizer->vocab_size());
    }
  }
}

TEST(Tokenizer, StreamsWholeCharacters) {
  if (!gguf_tokenizer("gpt-2")) GTEST_SKIP() << "skipped: no shared data";
  std::mt19937 random(3);
  for (const auto& tokenizer : {gguf_tokenizer("gpt-2"), gguf_tokenizer("qwen2"), gguf_tokenizer("llama-spm")}) {
    for (int i = 0; i < 300; ++i) {
      const std::string text = i % 2 ? random_utf8(random, 20) : random_bytes(random, 20);
      ASSERT_OK_AND(auto ids, tokenizer->encode(text, {.add_bos = false, .parse_special = false}));
      StreamDecoder decoder(*tokenizer, /*at_start=*/true);
      std::string all;
      for (int32_t id : ids) {
        const std::string part = decoder.push(id);
        ASSERT_TRUE(valid_utf8(part));
        all += part;
      }
      all += decoder.finish();
      ASSERT_EQ(all, replace_invalid_utf8(text));
    }
  }
}

// A character cut at every place into byte tokens comes out whole, and only once it is.
TEST(Tokenizer, StreamsByteByByte) {
  auto tokenizer = gguf_tokenizer("gpt-2");
  if (!tokenizer) GTEST_SKIP() << "skipped: no shared data";
  const std::string text = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\xA6\x99z";
  StreamDecoder decoder(*tokenizer);
  std::string all;
  for (size_t i = 0; i < text.size(); ++i) {
    ASSERT_OK_AND(auto ids, tokenizer->encode(text.substr(i, 1)));
    ASSERT_EQ(ids.size(), 1u);
    all += decoder.push(ids[0]);
    EXPECT_EQ(all, text.substr(0, i + 1 - incomplete_utf8_tail(text.substr(0, i + 1))));
  }
  EXPECT_EQ(decoder.finish(), "");
  ASSERT_OK_AND(auto half, tokenizer->encode("\xF0\x9F"));
  for (int32_t id : half) EXPECT_EQ(decoder.push(id), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD\uFFFD");
  for (int32_t id : half) decoder.push(id);
  ASSERT_OK_AND(auto letter, tokenizer->encode("x"));
  EXPECT_EQ(decoder.push(letter[0]), "\uFFFD\uFFFDx");
}

TEST(Tokenizer, KeepsTheSpaceOfAContinuation) {
  auto tokenizer = gguf_tokenizer("llama-spm");
  if (!tokenizer) GTEST_SKIP() << "skipped: no shared data";
  ASSERT_OK_AND(auto ids, tokenizer->encode("Hello world"));
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 15043, 3186}));
  EXPECT_EQ(tokenizer->decode(ids), "Hello world");
  EXPECT_EQ(StreamDecoder(*tokenizer).push(3186), " world");
  EXPECT_EQ(StreamDecoder(*tokenizer, true).push(3186), "world");
  EXPECT_EQ(tokenizer->piece_bytes(3186), " world");
  EXPECT_EQ(tokenizer->piece_text(3186), "\u2581world");
  EXPECT_EQ(tokenizer->piece_bytes(13), "\n");  // <0x0A>
  EXPECT_EQ(tokenizer->piece_text(-1), "");
  EXPECT_EQ(tokenizer->piece_bytes(1 << 30), "");
}

TEST(Tokenizer, SpecialTokensInText) {
  auto qwen = gguf_tokenizer("qwen2");
  if (!qwen) GTEST_SKIP() << "skipped: no shared data";
  const std::string text = "<|im_start|>user\nhi<|im_end|>";
  ASSERT_OK_AND(auto ids, qwen->encode(text));
  EXPECT_EQ(ids.front(), 151644);
  EXPECT_EQ(ids.back(), 151645);
  EXPECT_EQ(qwen->decode(ids), "user\nhi");
  EXPECT_EQ(qwen->decode(ids, /*skip_special=*/false), text);
  ASSERT_OK_AND(ids, qwen->encode(text, {.parse_special = false}));
  for (int32_t id : ids) EXPECT_FALSE(qwen->is_control(id));
  EXPECT_EQ(qwen->decode(ids), text);
  EXPECT_TRUE(qwen->is_end(151645));
  EXPECT_TRUE(qwen->is_end(151643));
  EXPECT_FALSE(qwen->is_end(151644));
  EXPECT_TRUE(qwen->is_special(151657));  // <tool_call>: in the vocabulary by hand, but text
  EXPECT_FALSE(qwen->is_control(151657));
  EXPECT_EQ(qwen->eos(), 151645);
  EXPECT_EQ(qwen->pre(), "qwen2");
  auto spm = gguf_tokenizer("llama-spm");
  ASSERT_OK_AND(ids, spm->encode("a</s>b", {.add_bos = false}));
  EXPECT_EQ(ids, (std::vector<int32_t>{263, 2, 289}));
  ASSERT_OK_AND(ids, spm->encode("a</s>b", {.add_bos = false, .parse_special = false}));
  for (int32_t id : ids) EXPECT_FALSE(spm->is_control(id));
  auto phi3 = gguf_tokenizer("phi-3");  // <|user|> takes the white space after it
  ASSERT_OK_AND(ids, phi3->encode("<|user|>\n hi<|end|>\n"));
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 32010, 7251, 32007}));
  EXPECT_NE(phi3->chat_template().find("<|user|>"), std::string::npos);
  EXPECT_TRUE(phi3->is_end(32007));
  auto added = json_tokenizer("added-tokens");
  ASSERT_OK_AND(ids, added->encode("<|user|><|end|>", {.add_bos = false}));
  EXPECT_EQ(ids, (std::vector<int32_t>{*added->id_of("<|user|>"), *added->id_of("<|end|>")}));
}

TEST(Tokenizer, HostileTextsTakeLinearTime) {
  if (!gguf_tokenizer("gpt-2")) GTEST_SKIP() << "skipped: no shared data";
  std::mt19937 random(5);
  for (const char* name : {"gpt-2", "qwen2", "deepseek-coder", "llama-spm", "bert-bge", "t5-small"}) {
    const std::string_view kind = name;
    auto tokenizer = kind == "t5-small" ? json_tokenizer(name) : gguf_tokenizer(name);
    // Two kinds at full length, the others shorter: quadratic time shows there as well.
    const size_t size = kind == "qwen2" || kind == "llama-spm" ? 1 << 20 : 1 << 17;
    std::string chinese, sparse;
    while (chinese.size() < size) chinese += "\u4E2D";
    while (sparse.size() < size) sparse += std::string(5000, ' ') + "x";
    const std::vector<std::string> texts = {std::string(size, 'a'),
                                            std::string(size, ' '),
                                            std::string(size, '\n'),
                                            std::string(size, '!'),
                                            std::string(size, '\xFF'),
                                            std::string(size, '1'),
                                            random_bytes(random, static_cast<int>(size)),
                                            random_utf8(random, static_cast<int>(size / 3)),
                                            chinese,
                                            sparse};
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::clock_t start = std::clock();
      ASSERT_OK_AND(auto ids, tokenizer->encode(texts[i], {.add_bos = false, .parse_special = false}));
      // Seconds of this process. Release builds take less than 0.5, checked ones a few; quadratic time would be hours.
      EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 8) << name << ", text " << i;
    }
  }
}

TEST(Tokenizer, EmptyTextsAndEmptyAnswers) {
  if (!gguf_tokenizer("gpt-2")) GTEST_SKIP() << "skipped: no shared data";
  for (const char* name : {"gpt-2", "qwen2", "deepseek-coder", "llama-spm", "phi-3", "bert-bge"}) {
    auto tokenizer = gguf_tokenizer(name);
    ASSERT_OK_AND(auto ids, tokenizer->encode("", {.add_bos = false}));
    EXPECT_TRUE(ids.empty());
    ASSERT_OK_AND(ids, tokenizer->encode(""));
    EXPECT_EQ(ids.size(), tokenizer->prefix().size() + tokenizer->suffix().size());
    EXPECT_EQ(tokenizer->decode({}), "");
  }
}

}  // namespace
}  // namespace weft::test
