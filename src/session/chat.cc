#include "session/chat.h"

namespace weft {

Result<ChatPrompt> ChatPrompt::create(const LanguageModel& model, std::string source) {
  const std::string& file = model.weights().metadata().source();
  WEFT_TRY(const Tokenizer* tokenizer, model.require_tokenizer());
  const bool own = source.empty();
  if (own) source = model.chat_template();
  if (source.empty()) return fail(Code::no_template, file, "chat template", "one in the file", "none");
  WEFT_TRY(ChatTemplate parsed,
           ChatTemplate::parse(std::move(source), own ? file + ": chat template" : "chat template"));
  return ChatPrompt(tokenizer, std::move(parsed));
}

Result<std::string> ChatPrompt::text(const OrderedJson& messages, const std::string& now_iso) const {
  if (!messages.is_array() || messages.empty())
    return fail(Code::invalid_argument, "chat", "messages", "an array with at least one message", dump_json(messages));
  for (size_t i = 0; i < messages.size(); ++i) {
    const OrderedJson* role = json_member(messages[i], "role");
    if (!role || !role->is_string())
      return fail(Code::invalid_argument, "chat", "message " + std::to_string(i + 1), "an object with a role",
                  dump_json(messages[i]));
  }
  const auto piece = [&](std::optional<int32_t> id) -> std::optional<std::string> {
    if (!id) return std::nullopt;
    return std::string(tokenizer_->piece_text(*id));
  };
  const OrderedJson context = {{"messages", messages}, {"add_generation_prompt", true}};
  return template_.render(
      context, {.bos_token = piece(tokenizer_->bos()), .eos_token = piece(tokenizer_->eos()), .now_iso = now_iso});
}

Result<std::vector<int32_t>> ChatPrompt::ids(const OrderedJson& messages, const std::string& now_iso) const {
  WEFT_TRY(const std::string prompt, text(messages, now_iso));
  return tokenizer_->encode(prompt, {.add_bos = false});
}

}  // namespace weft
