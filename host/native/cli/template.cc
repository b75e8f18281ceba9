// weft template: the prompt that a chat template makes of a conversation, exactly.
#include "command.h"
#include "file/tensor_file.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace weft::cli {
namespace {

struct Options {
  std::optional<std::string> file, context, prompt, bos, eos, now;
};

Outcome run(Context& context, const Options& o) {
  if (!o.context && !o.prompt)
    return usage_error("template", "give a conversation with --context or a message with -p");
  const OrderedJson message = {{"role", "user"}, {"content", o.prompt.value_or("")}};
  OrderedJson input = {{"messages", OrderedJson::array({message})}, {"add_generation_prompt", true}};
  if (o.context) {
    WEFT_TRY(const std::string text, read_file(*o.context));
    WEFT_TRY(input, parse_ordered_json(text, *o.context));
  }
  TemplateOptions options{.bos_token = o.bos, .eos_token = o.eos, .now_iso = o.now.value_or("")};
  std::string source, name;
  if (o.file) {
    name = *o.file;
    WEFT_TRY(source, read_file(name));
  } else {
    WEFT_TRY(const auto file, context.open_model());
    name = context.common.model;
    WEFT_TRY(const auto tokenizer, context.open_tokenizer());
    const auto* from_metadata = file->metadata().peek<std::string>("tokenizer.chat_template");
    source = from_metadata ? *from_metadata : tokenizer->chat_template();
    if (source.empty()) return fail(Code::no_template, name, "chat template", "one in the model file", "none");
    if (!options.bos_token && tokenizer->bos()) options.bos_token = tokenizer->piece_text(*tokenizer->bos());
    if (!options.eos_token && tokenizer->eos()) options.eos_token = tokenizer->piece_text(*tokenizer->eos());
  }
  WEFT_TRY(const ChatTemplate chat, ChatTemplate::parse(source, name));
  WEFT_TRY(const std::string text, chat.render(input, options));
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"text", text}}));
  } else {
    WEFT_CHECK_OK(context.print(text));
  }
  return kOk;
}

}  // namespace

Command template_command() {
  auto o = std::make_shared<Options>();
  return {"template",
          "Show the prompt that a chat template makes of a conversation",
          "  weft template -m model.gguf -p \"Hello\"\n"
          "  weft template --template chat.jinja --context request.json --bos \"<s>\" --eos \"</s>\"\n"
          "The context is an object with messages, add_generation_prompt, tools and what else the template reads.\n",
          kModel | kJson,
          [o](Args& args) {
            args.option("--template", o->file, "a Jinja file instead of the model's own template").file();
            args.option("--context", o->context, "JSON file with the conversation; - is standard input").file();
            args.option("-p,--prompt", o->prompt, "one message of the user instead").conflicts("--context");
            args.option("--bos", o->bos, "text of the token that begins a text");
            args.option("--eos", o->eos, "text of the token that ends a text");
            args.option("--now", o->now, "local time for templates that write the date").value("YYYY-MM-DDTHH:MM:SS");
          },
          [o](Context& context) { return run(context, *o); }};
}

}  // namespace weft::cli
