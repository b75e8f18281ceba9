// Exact ids against llama.cpp's vocabulary tests and whole texts encoded by other implementations.
#include <gtest/gtest.h>

#include "support/support.h"
#include "unit/text/data.h"

namespace weft::test {
namespace {

constexpr Tokenizer::EncodeOptions kPlain{.add_bos = false, .parse_special = false};

class VocabFile : public testing::TestWithParam<const char*> {};

TEST_P(VocabFile, EveryTextGivesTheReferenceIds) {
  auto tokenizer = gguf_tokenizer(GetParam());
  if (!tokenizer) GTEST_SKIP() << "skipped: no shared data";
  const auto tests = vocab_tests(GetParam());
  ASSERT_EQ(tests.size(), 46u);
  for (const auto& [text, ids] : tests) {
    ASSERT_OK_AND(auto got, tokenizer->encode(text, kPlain));
    EXPECT_EQ(got, ids) << "text: '" << text << "'";
    ASSERT_OK_AND(got, tokenizer->encode(text, {.add_bos = false, .parse_special = true}));
    EXPECT_EQ(got, ids) << "text: '" << text << "'";
  }
}

INSTANTIATE_TEST_SUITE_P(Shared, VocabFile,
                         testing::Values("llama-spm", "gpt-2", "bert-bge", "phi-3", "deepseek-coder", "qwen2"));

TEST(Oracle, Gpt2WholeTexts) {
  auto gguf = gguf_tokenizer("gpt-2");
  auto json = json_tokenizer("gpt2");
  if (!gguf) GTEST_SKIP() << "skipped: no shared data";
  const std::string text = read_text(*shared_data("tokenizers/expected/monty-python-credits.txt"));
  const auto ids = id_list(read_text(*shared_data("tokenizers/expected/monty-python-credits-gpt2.json")));
  // The text of this list is not published with it: it is what the ids decode to.
  const auto code_ids = id_list(read_text(*shared_data("tokenizers/expected/tokens_gpt2.json")));
  for (const auto& tokenizer : {gguf, json}) {
    ASSERT_OK_AND(auto got, tokenizer->encode(text));
    EXPECT_EQ(got, ids);
    EXPECT_EQ(tokenizer->decode(ids), text);
    const std::string code = tokenizer->decode(code_ids);
    ASSERT_GT(code.size(), 10000u);
    ASSERT_OK_AND(got, tokenizer->encode(code));
    EXPECT_EQ(got, code_ids);
  }
}

TEST(Oracle, BertWholeTexts) {
  auto gguf = gguf_tokenizer("bert-bge");
  if (!gguf) GTEST_SKIP() << "skipped: no shared data";
  ASSERT_OK_AND(auto vocab,
                Tokenizer::from_vocab_txt(read_text(*shared_data("tokenizers/json/bert-base-uncased/vocab.txt")), true,
                                          "vocab.txt"));
  for (std::string name : {"Metal_umlaut", "monty-python-credits"}) {
    const std::string text = read_text(*shared_data("tokenizers/expected/" + name + ".txt"));
    const auto ids = id_list(read_text(*shared_data("tokenizers/expected/" + name + "-bert-base-uncased.json")));
    for (const auto& tokenizer : {gguf, vocab}) {
      ASSERT_OK_AND(auto got, tokenizer->encode(text));
      EXPECT_EQ(got, ids) << name;
    }
  }
}

// Two files of one vocabulary, read by the two loaders.
TEST(Oracle, LoadersAgree) {
  auto gguf = gguf_tokenizer("gpt-2");
  if (!gguf) GTEST_SKIP() << "skipped: no shared data";
  std::vector<std::string> texts;
  for (auto& test : vocab_tests("gpt-2")) texts.push_back(test.text);
  texts.push_back(read_text(*shared_data("text/tinystories_valid_30K.txt")));
  texts.push_back(read_text(*shared_data("tokenizers/expected/Metal_umlaut.txt")));
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) texts.push_back(random_utf8(random, 40));
  auto gpt2 = json_tokenizer("gpt2"), phi2 = json_tokenizer("phi-2"), roberta = json_tokenizer("roberta-base");
  for (const std::string& text : texts) {
    ASSERT_OK_AND(auto expected, gguf->encode(text));
    ASSERT_OK_AND(auto ids, gpt2->encode(text));
    EXPECT_EQ(ids, expected) << text;
    // phi-2 adds runs of spaces and tabs of two or more to GPT-2's tokens.
    if (text.find("  ") == std::string::npos && text.find("\t\t") == std::string::npos) {
      ASSERT_OK_AND(ids, phi2->encode(text));
      EXPECT_EQ(ids, expected) << text;
    }
    // RoBERTa numbers GPT-2's tokens anew: the pieces are the same, between <s> and </s>.
    ASSERT_OK_AND(ids, roberta->encode(text));
    ASSERT_EQ(ids.size(), expected.size() + 2) << text;
    EXPECT_EQ(ids.front(), 0);
    EXPECT_EQ(ids.back(), 2);
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(roberta->piece_text(ids[i + 1]), gguf->piece_text(expected[i])) << text;
  }
}

TEST(Oracle, PublishedExamples) {
  auto roberta = json_tokenizer("roberta-base");
  if (!roberta) GTEST_SKIP() << "skipped: no shared data";
  auto expect = [](const std::shared_ptr<const Tokenizer>& tokenizer, std::string text, std::vector<int32_t> ids) {
    ASSERT_OK_AND(auto got, tokenizer->encode(text));
    EXPECT_EQ(got, ids) << text;
  };
  // transformers' documentation of RobertaTokenizer and T5, and T5's published training example.
  expect(roberta, "Hello world", {0, 31414, 232, 2});
  expect(roberta, " Hello world", {0, 20920, 232, 2});
  expect(roberta, "a <mask> b", {0, 102, 50264, 741, 2});
  auto t5 = json_tokenizer("t5-small");
  expect(t5, "The house is wonderful.", {37, 629, 19, 1627, 5, 1});
  expect(t5, "Das Haus ist wunderbar.", {644, 4598, 229, 19250, 5, 1});
  expect(t5, "The <extra_id_0> walks in <extra_id_1> park", {37, 32099, 10681, 16, 32098, 2447, 1});
  expect(t5, "translate English to German: The house is wonderful.",
         {13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1});
  auto whisper = json_tokenizer("whisper-tiny");
  expect(whisper, "", {50258, 50363, 50257});
  EXPECT_EQ(whisper->id_of("<|notimestamps|>"), 50363);
  auto phi2 = json_tokenizer("phi-2");
  expect(phi2, "def f():\n    return 1", {4299, 277, 33529, 198, 50284, 7783, 352});
}

TEST(Oracle, Stories260KIsItsOwnModelsVocabulary) {
  auto path = shared_data("lm/stories260K/stories260Ktok512.gguf");
  if (!path) GTEST_SKIP() << "skipped: no shared data";
  ASSERT_OK_AND(auto tokenizer, Tokenizer::from_metadata(gguf_metadata(*path)));
  EXPECT_EQ(tokenizer->vocab_size(), 512);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_FALSE(tokenizer->pad());
  const std::string text = read_text(*shared_data("text/tinystories_valid_30K.txt"));
  ASSERT_OK_AND(auto ids, tokenizer->encode(text));
  EXPECT_EQ(ids[0], 1);
  EXPECT_EQ(tokenizer->decode(ids), text);
}

}  // namespace
}  // namespace weft::test
