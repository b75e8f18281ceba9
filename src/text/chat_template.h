// Turns a conversation into the text of a prompt, with the Jinja2 template that a model's file carries.
//
//   WEFT_TRY(ChatTemplate chat, ChatTemplate::parse(source, "model.gguf: chat template"));
//   WEFT_TRY(OrderedJson context, parse_ordered_json(R"({"messages": [{"role": "user", "content": "Hi"}],
//                                                        "add_generation_prompt": true})", "request"));
//   WEFT_TRY(std::string prompt, chat.render(context, {.bos_token = "<s>", .eos_token = "</s>"}));
//
// The language is Jinja2's as Hugging Face sets it up (docs/chat-templates.md). A parsed template is immutable: several
// threads may render it at once. At the limits a rendering needs 384 KiB of stack.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace weft {

struct TemplateOptions {
  // The texts of the model's special tokens; without one its variable is undefined, as in Hugging Face's code.
  std::optional<std::string> bos_token, eos_token;
  // Local time for strftime_now, as "2024-07-26T12:00:00". When empty, templates find no strftime_now and fall back to
  // a date of their own.
  std::string now_iso;
};

class ChatTemplate {
 public:
  // `name` stands in messages for the template. Errors: Code::bad_template with the line; Code::limit.
  static Result<ChatTemplate> parse(std::string source, std::string name);

  // `context` is an object with what the template reads: messages, tools, add_generation_prompt and whatever else. It
  // takes precedence over `options`. Errors: Code::bad_template with the line, also for the template's own
  // raise_exception(text), whose text is then the message; Code::limit when it runs too long or makes too much.
  Result<std::string> render(const OrderedJson& context, const TemplateOptions& options = {}) const;

  const std::string& source() const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Parsed;
  explicit ChatTemplate(std::unique_ptr<const Parsed> parsed);
  std::unique_ptr<const Parsed> parsed_;
};

}  // namespace weft
