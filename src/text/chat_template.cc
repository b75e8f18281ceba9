#include "text/chat_template.h"

#include "text/jinja/interp.h"

namespace weft {

struct ChatTemplate::Parsed {
  std::string source;
  std::string name;
  jinja::Program program;
};

namespace {

std::unexpected<Error> to_error(jinja::Fault fault, const std::string& name) {
  const jinja::Trouble& trouble = *fault.trouble;
  std::string where = name;
  if (trouble.line > 0) where += ", line " + std::to_string(trouble.line);
  return fail(trouble.code, where, trouble.text);
}

}  // namespace

ChatTemplate::ChatTemplate(std::unique_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

const std::string& ChatTemplate::source() const { return parsed_->source; }

Result<ChatTemplate> ChatTemplate::parse(std::string source, std::string name) {
  auto program = jinja::parse(source);
  if (!program) return to_error(std::move(program).error(), name);
  return ChatTemplate(std::make_unique<const Parsed>(Parsed{std::move(source), std::move(name), *std::move(program)}));
}

Result<std::string> ChatTemplate::render(const OrderedJson& context, const TemplateOptions& options) const {
  if (!context.is_object()) {
    return fail(Code::invalid_argument, parsed_->name, "the context of a chat template", "a JSON object",
                context.type_name());
  }
  jinja::Globals globals{.variables = {}, .now = options.now_iso};
  if (options.bos_token) globals.variables.emplace_back("bos_token", *options.bos_token);
  if (options.eos_token) globals.variables.emplace_back("eos_token", *options.eos_token);
  jinja::Interp interp(parsed_->program, context, std::move(globals));
  auto text = interp.render();
  if (!text) return to_error(std::move(text).error(), parsed_->name);
  return *std::move(text);
}

}  // namespace weft
