// From a conversation to the prompt that the model was trained on.
//
//   WEFT_TRY(auto chat, ChatPrompt::create(*model));
//   WEFT_TRY(auto messages, parse_ordered_json(R"([{"role": "user", "content": "Hello"}])", "messages"));
//   WEFT_TRY(auto ids, chat.ids(messages));
//   co_await session->generate({.prompt = ids}, on_token);
//
// Give the whole conversation each time: the session computes only what is new. The answer to append to the messages is
// {"role": "assistant", "content": generated.text}.
#pragma once

#include "base/json.h"
#include "session/session.h"
#include "text/chat_template.h"

namespace weft {

class ChatPrompt {
 public:
  // With the model's own template, or with `source` where that is not empty. no_template, bad_template, no_tokenizer.
  static Result<ChatPrompt> create(const LanguageModel& model, std::string source = {});

  // `messages`: an array of objects with at least a role; content is text, or what this template takes.
  // `now_iso`: local time for templates that write the date, "2024-07-26T12:00:00"; empty: their own default.
  Result<std::string> text(const OrderedJson& messages, const std::string& now_iso = {}) const;
  // The text's tokens. A template writes the beginning-of-text token itself, so none is added.
  Result<std::vector<int32_t>> ids(const OrderedJson& messages, const std::string& now_iso = {}) const;

 private:
  ChatPrompt(const Tokenizer* tokenizer, ChatTemplate chat) : tokenizer_(tokenizer), template_(std::move(chat)) {}
  const Tokenizer* tokenizer_;
  ChatTemplate template_;
};

}  // namespace weft
