// Small vocabularies made here: what loaders accept, and the error for everything they do not.
#include <gtest/gtest.h>

#include <cmath>

#include "support/support.h"
#include "unit/text/data.h"

namespace weft::test {
namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<int64_t>;
using Reals = std::vector<double>;

Metadata bpe() {
  Metadata m("tiny.gguf");
  m.set("tokenizer.ggml.model", std::string("gpt2"));
  m.set("tokenizer.ggml.pre", std::string("gpt-2"));
  m.set("tokenizer.ggml.tokens", Strings{"a", "b", "ab", "Ġ", "Ġab", "<s>"});
  m.set("tokenizer.ggml.token_type", Integers{1, 1, 1, 1, 1, 3});
  m.set("tokenizer.ggml.merges", Strings{"a b", "Ġ ab"});
  m.set("tokenizer.ggml.bos_token_id", int64_t{5});
  return m;
}

Metadata spm() {
  Metadata m("tiny.gguf");
  m.set("tokenizer.ggml.model", std::string("llama"));
  m.set("tokenizer.ggml.tokens", Strings{"<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a"});
  m.set("tokenizer.ggml.scores", Reals{0, 0, 0, -5, -6, -7, -1, -2});
  m.set("tokenizer.ggml.token_type", Integers{2, 3, 3, 1, 1, 1, 1, 1});
  m.set("tokenizer.ggml.bos_token_id", int64_t{1});
  m.set("tokenizer.ggml.eos_token_id", int64_t{2});
  m.set("tokenizer.ggml.unknown_token_id", int64_t{0});
  return m;
}

TEST(Loading, TinyVocabularies) {
  ASSERT_OK_AND(auto tokenizer, Tokenizer::from_metadata(bpe()));
  ASSERT_OK_AND(auto ids, tokenizer->encode("ab ab<s>aXb"));
  EXPECT_EQ(ids, (std::vector<int32_t>{2, 4, 5, 2}));  // as in tokenizers: no token for X, and none for unknown
  EXPECT_FALSE(tokenizer->add_bos());
  ASSERT_OK_AND(tokenizer, Tokenizer::from_metadata(spm()));
  ASSERT_OK_AND(ids, tokenizer->encode("ab a?"));
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 3, 6, 7, 0}));
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{1, 3, 6, 7}), "ab a");
  EXPECT_TRUE(tokenizer->is_end(2));
}

TEST(Loading, BadMetadataIsNamed) {
  auto expect = [](Metadata m, std::string key, std::optional<MetaValue> value, Code code, std::string mention) {
    key = "tokenizer.ggml." + key;
    value ? m.set(key, *value) : m.remove(key);
    auto result = Tokenizer::from_metadata(m);
    ASSERT_FALSE(result.has_value()) << key;
    EXPECT_EQ(code_name(result.error().code), code_name(code)) << result.error().message();
    EXPECT_NE(result.error().message().find(mention), std::string::npos) << result.error().message();
    EXPECT_NE(result.error().message().find("tiny.gguf"), std::string::npos);
  };
  expect(bpe(), "model", std::nullopt, Code::no_tokenizer, "tokenizer.ggml.model");
  expect(bpe(), "model", std::string("none"), Code::no_tokenizer, "none");
  expect(bpe(), "model", std::string("rwkv"), Code::unsupported, "rwkv");
  expect(bpe(), "model", int64_t{1}, Code::bad_file, "integer");
  expect(bpe(), "pre", std::string("martian"), Code::unsupported, "martian");
  expect(bpe(), "tokens", std::nullopt, Code::bad_file, "tokens");
  expect(bpe(), "tokens", Strings{}, Code::bad_file, "empty");
  expect(bpe(), "tokens", Integers{1, 2}, Code::bad_file, "array of integers");
  expect(bpe(), "tokens", Strings{"a", "b", "ab", "Ġ", "a", "<s>"}, Code::bad_file, "token 4");
  expect(bpe(), "tokens", Strings{"a", "b", "ab", "Ġ", "Ġab", std::string(70000, 'x')}, Code::limit, "token 5");
  expect(bpe(), "token_type", Integers{1, 1}, Code::bad_file, "token_type");
  expect(bpe(), "token_type", Integers{1, 1, 1, 1, 1, 77}, Code::bad_file, "77");
  expect(bpe(), "token_type", Strings{"x"}, Code::bad_file, "array of strings");
  expect(bpe(), "merges", std::nullopt, Code::bad_file, "merges");
  expect(bpe(), "merges", Strings{"a b", "a c"}, Code::bad_file, "merge 1");
  expect(bpe(), "merges", Strings{"b a"}, Code::bad_file, "'ba'");
  expect(bpe(), "merges", Strings{"ab"}, Code::bad_file, "merge 0");
  expect(bpe(), "merges", Strings{""}, Code::bad_file, "merge 0");
  expect(bpe(), "merges", Strings{"a "}, Code::bad_file, "merge 0");
  expect(bpe(), "bos_token_id", int64_t{6}, Code::bad_file, "bos_token_id");
  expect(bpe(), "bos_token_id", int64_t{-2}, Code::bad_file, "-2");
  expect(bpe(), "bos_token_id", std::string("x"), Code::bad_file, "bos_token_id");
  expect(bpe(), "eos_token_ids", Integers{1, 1000}, Code::bad_file, "1000");
  expect(bpe(), "add_bos_token", int64_t{1}, Code::bad_file, "add_bos_token");
  expect(spm(), "scores", std::nullopt, Code::bad_file, "scores");
  expect(spm(), "scores", Reals{1}, Code::bad_file, "scores");
  expect(spm(), "scores", Reals{0, 0, 0, -5, -6, NAN, -1, -2}, Code::bad_file, "token 5");
  Metadata bert = spm();
  bert.set("tokenizer.ggml.model", std::string("bert"));
  expect(bert, "unknown_token_id", std::nullopt, Code::bad_file, "unknown_token_id");
  Metadata unigram = spm();
  unigram.set("tokenizer.ggml.model", std::string("t5"));
  EXPECT_OK(Tokenizer::from_metadata(unigram));
  expect(unigram, "precompiled_charsmap", Integers{1, 2, 3}, Code::bad_file, "precompiled_charsmap");
  expect(unigram, "scores", Reals{0, 0, 0, -5, -6, INFINITY, -1, -2}, Code::bad_file, "token 5");
}

TEST(Loading, AbsentIdsMayBeWrittenAsMinusOne) {
  Metadata m = bpe();
  m.set("tokenizer.ggml.padding_token_id", int64_t{0xFFFFFFFF});
  m.set("tokenizer.ggml.eos_token_id", int64_t{-1});
  ASSERT_OK_AND(auto tokenizer, Tokenizer::from_metadata(m));
  EXPECT_FALSE(tokenizer->pad());
  EXPECT_FALSE(tokenizer->eos());
}

std::string json(std::string model, std::string rest = "") { return R"({"model":)" + model + rest + "}"; }
const std::string kBpe =
    R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<unk>":3},"merges":["a b"],"unk_token":"<unk>"})";

TEST(Loading, JsonParts) {
  auto ids = [](const std::string& text, std::string input, std::string config = "") {
    auto tokenizer = Tokenizer::from_json(text, config, "t.json");
    EXPECT_OK(tokenizer);
    return tokenizer ? (*tokenizer)->encode(input).value() : std::vector<int32_t>{};
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(ids(json(kBpe), "abxxa"), (Ids{2, 3, 3, 0}));
  EXPECT_EQ(ids(json(kBpe, R"(,"normalizer":{"type":"Lowercase"})"), "AB"), (Ids{2}));
  EXPECT_EQ(ids(json(kBpe, R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a"},"behavior":"Isolated"})"), "ab"),
            (Ids{0, 1}));
  EXPECT_EQ(ids(json(kBpe, R"(,"pre_tokenizer":{"type":"WhitespaceSplit"})"), " a b "), (Ids{0, 1}));
  const std::string added = R"(,"added_tokens":[{"id":9,"content":"[X]","special":true,"lstrip":true,"rstrip":true},
      {"id":8,"content":"word","single_word":true,"special":false}])";
  EXPECT_EQ(ids(json(kBpe, added), "a [X] b"), (Ids{0, 9, 1}));
  EXPECT_EQ(ids(json(kBpe, added), "word!worda"), (Ids{8, 3, 3, 3, 3, 3, 0}));
  const std::string post = R"(,"post_processor":{"type":"TemplateProcessing","single":[
      {"SpecialToken":{"id":"[X]"}},{"Sequence":{"id":"A"}}],"special_tokens":{"[X]":{"ids":[9],"tokens":["[X]"]}}})";
  EXPECT_EQ(ids(json(kBpe, added + post), "a"), (Ids{9, 0}));
  EXPECT_EQ(ids(json(kBpe, added), "a", R"({"bos_token":"[X]","add_bos_token":true})"), (Ids{9, 0}));
  EXPECT_EQ(ids(json(kBpe, added + post), "a", R"({"bos_token":{"content":"[X]"},"add_bos_token":false})"), (Ids{0}));
  const std::string clip =
      R"({"type":"BPE","end_of_word_suffix":"</w>","vocab":{"a":0,"b":1,"b</w>":2,"ab</w>":3,"a</w>":4},
      "merges":["a b</w>"]})";
  EXPECT_EQ(ids(json(clip), "ab"), (Ids{3}));
  EXPECT_EQ(ids(json(clip), "ba"), (Ids{1, 4}));
  const std::string unigram =
      R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-2],["b",-2],["ab",-3],["ba",-1]]})";
  EXPECT_EQ(ids(json(unigram), "aba"), (Ids{1, 4}));
  EXPECT_EQ(ids(json(unigram), "axxb"), (Ids{1, 0, 2}));
  const std::string wordpiece = R"({"type":"WordPiece","unk_token":"[U]","vocab":{"[U]":0,"un":1,"##able":2,"##a":3},
      "max_input_chars_per_word":6})";
  const std::string bert = R"(,"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"})";
  EXPECT_EQ(ids(json(wordpiece, bert), "Unable un able unaaaaa"), (Ids{1, 2, 1, 0, 0}));
}

TEST(Loading, BadJsonIsNamed) {
  auto expect = [](const std::string& text, Code code, std::string config = "") {
    auto result = Tokenizer::from_json(text, config, "t.json");
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(code_name(result.error().code), code_name(code)) << result.error().message();
    EXPECT_NE(result.error().message().find("t.json"), std::string::npos);
  };
  expect("", Code::bad_file);
  expect("[]", Code::bad_file);
  expect("{}", Code::bad_file);
  expect(json("[]"), Code::bad_file);
  expect(json(R"({"type":"Magic","vocab":{}})"), Code::unsupported);
  expect(json(R"({"type":3,"vocab":{}})"), Code::bad_file);
  expect(json(R"({"type":"BPE"})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":"x"},"merges":[]})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":0,"b":0},"merges":[]})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":-1},"merges":[]})"), Code::limit);
  expect(json(R"({"type":"BPE","vocab":{"a":18446744073709551615},"merges":[]})"), Code::limit);
  expect(json(R"({"type":"BPE","vocab":{"a":0}})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":0},"merges":[3]})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":0},"merges":["a b"]})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"})"), Code::bad_file);
  expect(json(R"({"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1})"), Code::unsupported);
  expect(json(R"({"type":"Unigram","vocab":[["a","b"]]})"), Code::bad_file);
  expect(json(R"({"type":"Unigram","vocab":[["a",1e39]]})"), Code::bad_file);
  expect(json(R"({"type":"Unigram","vocab":[["a",0]],"unk_id":4})"), Code::bad_file);
  expect(json(R"({"type":"WordPiece","vocab":{"a":0}})"), Code::bad_file);
  for (const char* part : {"normalizer", "pre_tokenizer", "decoder", "post_processor"}) {
    const std::string key = R"(,")" + std::string(part) + R"(":)";
    expect(json(kBpe, key + R"({"type":"Magic"})"), Code::unsupported);
    expect(json(kBpe, key + R"("text")"), Code::bad_file);
    expect(json(kBpe, key + R"({"type":"Sequence"})"), Code::bad_file);
  }
  expect(json(kBpe, R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<=a)b"},"behavior":"Isolated"})"),
         Code::unsupported);
  expect(json(kBpe, R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"a"},"behavior":"Sideways"})"),
         Code::unsupported);
  expect(json(kBpe, R"(,"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"})"), Code::bad_file);
  expect(json(kBpe, R"(,"added_tokens":[{"id":1,"content":"a"}])"), Code::bad_file);
  expect(json(kBpe, R"(,"added_tokens":[{"id":99999999,"content":"z"}])"), Code::bad_file);
  expect(json(kBpe), Code::bad_file, "{");
  expect(json(kBpe), Code::bad_file, R"({"bos_token":"nope"})");
  expect(json(kBpe), Code::bad_file, R"({"chat_template":3})");
}

TEST(Loading, VocabTxt) {
  EXPECT_OK(Tokenizer::from_vocab_txt("[PAD]\n[UNK]\r\n[CLS]\n[SEP]\na\n", true, "v"));
  EXPECT_ERROR(Code::bad_file, Tokenizer::from_vocab_txt("", true, "v"));
  EXPECT_ERROR(Code::bad_file, Tokenizer::from_vocab_txt("[UNK]\n[CLS]\n[SEP]\na\na\n", true, "v"));
  EXPECT_ERROR(Code::bad_file, Tokenizer::from_vocab_txt("a\nb\n", true, "v"));
}

}  // namespace
}  // namespace weft::test
