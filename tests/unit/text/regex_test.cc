#include "text/regex.h"

#include <gtest/gtest.h>

#include <ctime>

#include "support/support.h"
#include "text/pre_tokenizer.h"

namespace weft::test {
namespace {

// The matches, each in brackets, and what lies between.
std::string matches(std::string_view pattern, std::string text) {
  auto regex = Regex::compile(pattern, "test");
  if (!regex) return regex.error().message();
  std::string out;
  size_t at = 0;
  Regex::Scratch scratch;
  regex->for_each(text, scratch, [&](size_t begin, size_t end) {
    out += text.substr(at, begin - at) + "[" + text.substr(begin, end - begin) + "]";
    at = end;
  });
  return out + text.substr(at);
}

TEST(Regex, MatchesAsPerlDoes) {
  EXPECT_EQ(matches("a|ab", "ab"), "[a]b");
  EXPECT_EQ(matches("(?:ab|a)c", "acabc"), "[ac][abc]");
  EXPECT_EQ(matches("a{2,3}", "aaaaaaa"), "[aaa][aaa]a");
  EXPECT_EQ(matches("a{2}b", "aaab"), "a[aab]");
  EXPECT_EQ(matches("a*b", "aaab ab b"), "[aaab] [ab] [b]");
  EXPECT_EQ(matches("a*?b", "aab"), "[aab]");
  EXPECT_EQ(matches("a+?", "aa"), "[a][a]");
  EXPECT_EQ(matches("a++a", "aaa"), "aaa");
  EXPECT_EQ(matches("a?+a", "a"), "a");
  EXPECT_EQ(matches("(?:ab)+", "ababa"), "[abab]a");
  EXPECT_EQ(matches("(a|b)*c", "abbac"), "[abbac]");
  EXPECT_EQ(matches("(?:a?)*b", "aab"), "[aab]");
  EXPECT_EQ(matches(R"(\s+(?!\S)|\s+)", "a   b "), "a[  ][ ]b[ ]");
  EXPECT_EQ(matches("a(?=b)", "aab"), "a[a]b");
  EXPECT_EQ(matches("(?i:'s|'LL)x", "'Sx 'llx 'lx"), "['Sx] ['llx] 'lx");
  EXPECT_EQ(matches("(?i)k", "\xE2\x84\xAA"), "[\xE2\x84\xAA]");
  EXPECT_EQ(matches("^b|a$", "ba\nba"), "[b][a]\n[b][a]");
  EXPECT_EQ(matches(R"([^\r\n\p{L}])", "a1\n"), "a[1]\n");
  EXPECT_EQ(matches(R"([\p{L}&&[^a-c]]+)", "abcdé"), "abc[dé]");
  EXPECT_EQ(matches(R"([a-z&&[^aeiou]])", "abe"), "a[b]e");
  EXPECT_EQ(matches(R"(\p{Han}+|\P{L})", "中文a1"), "[中文]a[1]");
  EXPECT_EQ(matches(R"([]a])", "]b"), "[]]b");
  EXPECT_EQ(matches(R"([a\-z-])", "-bz"), "[-]b[z]");
  EXPECT_EQ(matches(R"(\x41\x{1F600}\u0042.)", "A😀Bé"), "[A😀Bé]");
  EXPECT_EQ(matches(R"(\d\w\D)", "1é!"), "[1é!]");
  EXPECT_EQ(matches("x*", "axxb"), "a[xx]b");
}

TEST(Regex, RefusesWhatItCannotDo) {
  for (const char* pattern :
       {"(",     ")",     "a)",           "[a",       "*a",     "a**",          "(?<=a)b", "(?=a*)b",
        R"(\b)", R"(\1)", R"(\p{Greek})", R"(\p{L)",  "a{3,2}", "a{2000}",      "[b-a]",   "[[:alpha:]]",
        "(?>a)", "\\",    "[a-\\",        "(?:ab)++", "\xFF",   R"(\x{110000})"})
    EXPECT_ERROR(Code::unsupported, Regex::compile(pattern, "test"));
  EXPECT_ERROR(Code::limit, Regex::compile(std::string(1000, '('), "test"));
  EXPECT_ERROR(Code::limit, Regex::compile(std::string(1000, '['), "test"));
  EXPECT_ERROR(Code::limit, Regex::compile("(?:(?:(?:a{99}){99}){99}){99}", "test"));
  EXPECT_ERROR(Code::limit, Regex::compile("(?:(?:(?:(?:){999}){999}){999}){999}", "test"));
}

TEST(Regex, LinearTimeOnPatternsThatBacktrack) {
  const std::clock_t start = std::clock();  // of this process: other work on the machine does not count
  const std::string a(1 << 16, 'a');
  EXPECT_EQ(matches("a*b", a), a);
  EXPECT_EQ(matches("(?:a|aa)*b", a), a);
  EXPECT_EQ(matches("(?:a*)*b", a), a);
  EXPECT_EQ(matches("a*a*a*b|c", a), a);
  EXPECT_EQ(matches("a+(?=ac)", a), a);
  std::string singles;
  for (size_t i = 0; i < a.size(); ++i) singles += "[a]";
  EXPECT_EQ(matches("a*b|a", a), singles);
  EXPECT_EQ(matches(R"(\s+$|a)", std::string(1 << 16, ' ') + "b"), std::string(1 << 16, ' ') + "b");
  EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 8);
}

// What the slow and careful mode finds must be what the quick one finds.
TEST(Regex, RememberingChangesNothing) {
  uint32_t seed = 5;
  auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 16; };
  for (const char* pattern : {"a*b|a", "(?:ab|a)*c|b", "(?:a|b)*?c", "a+(?!b)|b+", "(?:a?b)+|ca*", "[ab]*b[bc]{1,2}"}) {
    ASSERT_OK_AND(auto regex, Regex::compile(pattern, "test"));
    for (int round = 0; round < 200; ++round) {
      std::string text;
      for (int i = 0; i < 30; ++i) text += "abc"[next() % 3];
      std::vector<size_t> quick, careful;
      Regex::Scratch scratch;
      regex.for_each(text, scratch, [&](size_t begin, size_t end) { quick.push_back(begin), quick.push_back(end); });
      scratch.budget = -1;
      regex.for_each(text, scratch,
                     [&](size_t begin, size_t end) { careful.push_back(begin), careful.push_back(end); });
      ASSERT_EQ(quick, careful) << pattern << " " << text;
    }
  }
}

TEST(PreTokenizer, Behaviours) {
  auto split = [](SplitBehavior how, bool inverted, std::string text) {
    PreTokenizer pre;
    EXPECT_OK(pre.add_split("-", how, inverted, "test"));
    TextPieces pieces(std::move(text));
    Regex::Scratch scratch;
    pre.apply(pieces, scratch, true);
    std::string out;
    for (auto [begin, end] : pieces.spans) out += pieces.text.substr(begin, end - begin) + "/";
    return out;
  };
  // The examples of Hugging Face's documentation of SplitDelimiterBehavior.
  const std::string text = "the-final--countdown";
  EXPECT_EQ(split(SplitBehavior::removed, false, text), "the/final/countdown/");
  EXPECT_EQ(split(SplitBehavior::isolated, false, text), "the/-/final/-/-/countdown/");
  EXPECT_EQ(split(SplitBehavior::merged_with_previous, false, text), "the-/final-/-/countdown/");
  EXPECT_EQ(split(SplitBehavior::merged_with_next, false, text), "the/-final/-/-countdown/");
  EXPECT_EQ(split(SplitBehavior::contiguous, false, text), "the/-/final/--/countdown/");
  EXPECT_EQ(split(SplitBehavior::removed, true, text), "-/-/-/");
}

TEST(PreTokenizer, EveryNameCompiles) {
  for (const char* name :
       {"gpt-2", "llama-bpe", "qwen2", "qwen35", "deepseek-llm", "deepseek-coder", "deepseek-v3", "smollm", "starcoder",
        "falcon", "phi-2", "gpt-4o", "tekken", "bloom", "viking", "default", "bailingmoe", "command-r", "stablelm2"}) {
    PreTokenizer pre;
    EXPECT_OK(pre.add_named(name, "test"));
    TextPieces pieces("Don't stop 12345 HelloWORLD\n\n  é中文!?");
    const std::string whole = pieces.text;
    Regex::Scratch scratch;
    pre.apply(pieces, scratch, true);
    std::string joined;
    for (auto [begin, end] : pieces.spans) joined += pieces.text.substr(begin, end - begin);
    EXPECT_EQ(joined, whole) << name;
  }
  PreTokenizer pre;
  EXPECT_ERROR(Code::unsupported, pre.add_named("no-such-name", "test"));
}

}  // namespace
}  // namespace weft::test
