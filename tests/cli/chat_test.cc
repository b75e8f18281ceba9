// weft chat on a terminal and in a pipe.
#include <filesystem>

#include "run_weft.h"

namespace weft::test {
namespace {

std::string plain_template() {
  const std::string path = temp_path("plain.jinja");
  write_text(path, "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: ");
  return path;
}

std::vector<std::string> chat(std::vector<std::string> more = {}) {
  std::vector<std::string> command{"chat", "-m", tiny_model(), "--template", plain_template(),
                                   "-n",   "4",  "--temp",     "0"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

TEST(Chat, NeedsATemplate) {
  expect_one_line_error(weft({"chat", "-m", tiny_model()}, {.input = "Hello\n"}), 1, "[no-template]");
}

TEST(Chat, AnswersAPipeLineByLine) {
  const std::string saved = temp_path("conversation.json");
  std::filesystem::remove(saved);
  const Ran ran =
      weft(chat({"--system", "Be brief."}), {.input = "Hello\n\nAgain \\\nand more\n/save " + saved + "\n"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n') >= 2, true) << ran.out;
  auto json = parse_ordered_json(read_text(saved), saved);
  ASSERT_OK(json);
  ASSERT_EQ(json->size(), 5u);
  EXPECT_EQ((*json)[0]["content"], "Be brief.");
  EXPECT_EQ((*json)[3]["content"], "Again \nand more");
  EXPECT_EQ((*json)[4]["role"], "assistant");
  const Ran loaded = weft(chat({"--load", saved}), {.input = "Third\n/save " + saved + "\n"});
  EXPECT_EQ(loaded.status, 0) << loaded.err;
  EXPECT_EQ(parse_ordered_json(read_text(saved), saved)->size(), 7u);
}

TEST(Chat, ErrorsInAPipeEndIt) {
  const std::string bad = temp_path("bad-conversation.json");
  write_text(bad, "{\"not\": \"messages\"}");
  expect_one_line_error(weft(chat({"--load", bad}), {.input = ""}), 1, "bad-conversation.json");
  EXPECT_EQ(weft(chat(), {.input = "/nonsense\n"}).status, 1);
  std::string longer = "Hello";
  for (int i = 0; i < 600; ++i) longer += " q w e";
  const Ran full = weft(chat(), {.input = longer + "\n"});
  EXPECT_EQ(full.status, 1);
  EXPECT_NE(full.err.find("[context-full]"), std::string::npos) << full.err;
}

TEST(Chat, CommandsAndEditingOnATerminal) {
  Terminal terminal(chat());
  ASSERT_TRUE(terminal.wait_for("Ctrl-D leaves")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_for("> "));
  terminal.type("/help\r");
  EXPECT_TRUE(terminal.wait_for("/save FILE")) << terminal.screen();
  ASSERT_TRUE(terminal.wait_for("> "));
  // Written wrong and put right: Home, delete, End, backspace, a cursor key.
  terminal.type("x/statz\x7f\x01\x1b[3~\x1b[Fs\r");
  EXPECT_TRUE(terminal.wait_for("no answer yet")) << terminal.screen();
  terminal.type("Hello\r");
  ASSERT_TRUE(terminal.wait_for("\n")) << terminal.screen();
  terminal.type("/stats\r");
  EXPECT_TRUE(terminal.wait_for("first token")) << terminal.screen();
  terminal.type("\x1b[A\r");  // the last line again
  EXPECT_TRUE(terminal.wait_for("first token")) << terminal.screen();
  terminal.type("/system Speak like a dragon.\r");
  EXPECT_TRUE(terminal.wait_for("new conversation"));
  terminal.type("half a line\x03");
  EXPECT_TRUE(terminal.wait_for("/exit leaves"));
  terminal.type("\x04");
  EXPECT_EQ(terminal.wait_exit(), 0) << terminal.screen();
}

TEST(Chat, CtrlCStopsTheAnswerAndNotTheProgram) {
  // Slow enough for a hand: the plain path, on one thread, with the end of the context far away.
  Terminal terminal({"chat", "-m", tiny_model(), "--template", plain_template(), "-n", "-1", "-t", "1", "--no-passes",
                     "--cpu-level", "baseline", "--logit-bias", "1023=-inf"});
  ASSERT_TRUE(terminal.wait_for("> ")) << terminal.screen();
  terminal.type("Hello\r");
  ASSERT_TRUE(terminal.wait_for("\n"));
  terminal.type("\x03");
  EXPECT_TRUE(terminal.wait_for("> ")) << terminal.screen();
  terminal.type("/exit\r");
  EXPECT_EQ(terminal.wait_exit(), 0) << terminal.screen();
}

}  // namespace
}  // namespace weft::test
