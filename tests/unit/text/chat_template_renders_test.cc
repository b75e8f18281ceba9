// 55 real chat templates over 11 conversations each, against what Jinja2 3.1.6 rendered.
#include <cstdio>

#include "support/support.h"
#include "text/chat_template.h"

namespace weft {
namespace {

TEST(ChatTemplateRenders, MatchJinja2) {
  auto path = test::shared_data("chat_templates/renders.json");
  if (!path) GTEST_SKIP() << "skipped: no shared data";
  ASSERT_OK_AND(OrderedJson data, parse_ordered_json(test::read_text(*path), "renders.json"));
  const TemplateOptions options{.bos_token = "<BOS>", .eos_token = "<EOS>", .now_iso = "2025-07-26T12:30:00"};
  int ok = 0, exact = 0, errors = 0, matched = 0;
  for (const auto& [name, renders] : data["templates"].items()) {
    auto file = test::shared_data("chat_templates/templates/" + name);
    ASSERT_TRUE(file.has_value()) << name;
    auto chat = ChatTemplate::parse(test::read_text(*file), name);
    for (const auto& [conversation, wanted] : renders.items()) {
      Result<std::string> text = fail(Code::internal, name, "not parsed");
      if (chat) {
        text = chat->render(data["contexts"][conversation], options);
      } else {
        text = fail(chat.error());
      }
      if (wanted.contains("ok")) {
        ++ok;
        bool same = text.has_value() && *text == wanted["ok"].get<std::string>();
        exact += same ? 1 : 0;
        if (!same) {
          std::printf("  differs: %s / %s: %s\n", name.c_str(), conversation.c_str(),
                      text ? "other text" : text.error().message().c_str());
        }
      } else {
        ++errors;
        matched += text.has_value() ? 0 : 1;
        if (text) std::printf("  Jinja2 fails, Weft does not: %s / %s\n", name.c_str(), conversation.c_str());
      }
    }
  }
  std::printf("renders: %d of %d exact; errors: %d of %d matched\n", exact, ok, matched, errors);
  EXPECT_EQ(ok, 539);
  EXPECT_EQ(errors, 66);
  EXPECT_GE(exact * 100, ok * 97);
  EXPECT_EQ(exact, ok);
  EXPECT_EQ(matched, errors);
}

// Cutting a real template anywhere gives a template or an error, never a crash; rendering what parses likewise.
TEST(ChatTemplateRenders, EveryPrefixParsesOrFails) {
  auto path = test::shared_data("chat_templates/templates/meta-llama-Llama-3.1-8B-Instruct.jinja");
  if (!path) GTEST_SKIP() << "skipped: no shared data";
  std::string source = test::read_text(*path);
  ASSERT_OK_AND(OrderedJson context,
                parse_ordered_json(R"({"messages": [{"role": "user", "content": "Hi"}]})", "context"));
  int parsed = 0;
  for (size_t size = 0; size <= source.size(); ++size) {
    auto chat = ChatTemplate::parse(source.substr(0, size), "prefix");
    if (!chat) {
      EXPECT_EQ(chat.error().code, Code::bad_template) << chat.error().message();
      continue;
    }
    ++parsed;
    auto text = chat->render(context, {.bos_token = "<s>"});
    if (!text) EXPECT_EQ(text.error().code, Code::bad_template) << text.error().message();
  }
  EXPECT_GT(parsed, 0);
}

}  // namespace
}  // namespace weft
