#include "session/stop_text.h"

#include <random>

#include "support/support.h"

namespace weft {
namespace {

struct Outcome {
  std::string text;
  bool stopped = false;
  size_t pieces = 0;  // pushed until it stopped
};

Outcome feed(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopText text(stops);
  Outcome out;
  for (const std::string& piece : pieces) {
    ++out.pieces;
    if ((out.stopped = text.push(piece, out.text))) return out;
  }
  text.flush(out.text);
  return out;
}

TEST(StopText, AcrossTokenBorders) {
  EXPECT_EQ(feed({"STOP"}, {"a S", "T", "OP b"}).text, "a ");
  EXPECT_TRUE(feed({"STOP"}, {"a S", "T", "OP b"}).stopped);
  EXPECT_EQ(feed({"STOP"}, {"a S", "T", "O"}).text, "a STO");
  EXPECT_FALSE(feed({"STOP"}, {"a S", "T", "O"}).stopped);
  EXPECT_EQ(feed({"STOP"}, {"SSTO", "STOP"}).text, "SSTO");
}

TEST(StopText, HoldsBackOnlyWhatMayStop) {
  StopText text({"\nUser:"});
  std::string out;
  EXPECT_FALSE(text.push("Hello.\nUs", out));
  EXPECT_EQ(out, "Hello.");
  EXPECT_FALSE(text.push("ing it", out));
  EXPECT_EQ(out, "Hello.\nUsing it");
  text.flush(out);
  EXPECT_EQ(out, "Hello.\nUsing it");
}

TEST(StopText, SelfOverlapAndSeveral) {
  EXPECT_EQ(feed({"aab"}, {"a", "a", "a", "b", "c"}).text, "a");
  EXPECT_EQ(feed({"abab"}, {"ab", "a", "c", "abab"}).text, "abac");
  EXPECT_EQ(feed({"abc", "b"}, {"a", "b", "c"}).text, "a");  // "b" is complete first
  EXPECT_EQ(feed({"b", "abc"}, {"abc"}).text, "");           // both complete: the one that begins first
  EXPECT_EQ(feed({}, {"a", "b"}).text, "ab");
  EXPECT_EQ(feed({"x"}, {"x"}).text, "");
}

TEST(StopText, WholeCharacters) {
  EXPECT_EQ(feed({"é!"}, {"caf", "é", "?"}).text, "café?");
  EXPECT_OK(check_stop_strings({"é", "a"}));
  EXPECT_ERROR(Code::invalid_argument, check_stop_strings({"a", ""}));
  EXPECT_ERROR(Code::invalid_argument, check_stop_strings({"\xA9"}));
}

// Any cut of a text into pieces gives the text before the first stop string.
TEST(StopText, AnyCut) {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string text, stop;
    for (int n = random() % 20; n > 0; --n) text += static_cast<char>('a' + random() % 2);
    for (int n = 1 + random() % 4; n > 0; --n) stop += static_cast<char>('a' + random() % 2);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t size = std::min<size_t>(1 + random() % 3, text.size() - at);
      pieces.push_back(text.substr(at, size));
      at += size;
    }
    const size_t found = text.find(stop);
    const Outcome out = feed({stop}, pieces);
    EXPECT_EQ(out.stopped, found != std::string::npos);
    EXPECT_EQ(out.text, text.substr(0, found)) << text << " / " << stop;
  }
}

}  // namespace
}  // namespace weft
