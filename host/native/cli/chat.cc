// weft chat: a conversation. Ctrl-C stops an answer, Ctrl-D leaves.
#include "session/chat.h"

#include <ctime>

#include "line_editor.h"
#include "native_host.h"
#include "sampling_options.h"

namespace weft::cli {
namespace {

struct Options {
  TextOptions text;
  std::string system;
  std::optional<std::string> template_file, load;
};

std::string local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

class Chat {
 public:
  Chat(Context& context, Options& options, const LanguageModel& model, Session& session, ChatPrompt prompt)
      : context_(context), o_(options), model_(model), session_(session), prompt_(std::move(prompt)) {
    restart();
  }

  Status load(const std::string& path) {
    WEFT_TRY(const std::string text, read_file(path));
    WEFT_TRY(OrderedJson loaded, parse_ordered_json(text, path));
    const bool good = loaded.is_array() && std::all_of(loaded.begin(), loaded.end(), [](const OrderedJson& message) {
                        const OrderedJson* role = json_member(message, "role");
                        return role && role->is_string() && json_member(message, "content");
                      });
    if (!good)
      return fail(Code::bad_file, path, "conversation", "an array of messages with role and content",
                  loaded.type_name());
    messages_ = std::move(loaded);
    return {};
  }

  Outcome run() {
    const bool person = editor_.interactive();
    if (person) {
      note(styled(stderr, Style::dim,
                  context_.common.model + " on " + model_.caps().name +
                      " · /help shows what you can do, Ctrl-C stops an answer, Ctrl-D leaves"));
    }
    std::string line, text;
    for (;;) {
      const bool more = !text.empty();
      const auto answer = editor_.read(styled(stderr, Style::green, more ? ". " : "> "), 2, line);
      if (answer == LineEditor::Answer::end) return kOk;
      if (answer == LineEditor::Answer::interrupted) {
        if (!person) return kInterrupted;
        text.clear();
        note(styled(stderr, Style::dim, "Ctrl-D or /exit leaves"));
        continue;
      }
      if (line.ends_with('\\')) {
        text += line.substr(0, line.size() - 1) + "\n";
        continue;
      }
      text += line;
      if (text.find_first_not_of(" \t\n") == std::string::npos) {
        text.clear();
        continue;
      }
      if (text.starts_with('/') && text.find('\n') == std::string::npos) {
        const Result<bool> go_on = command(text);
        if (!go_on && !person) return fail(go_on.error());
        if (!go_on) note_error(go_on.error().message());
        if (go_on && !*go_on) return kOk;
      } else {
        const Status answered = answer_to(text);
        if (!answered && !person) return fail(answered.error());
        if (!answered) note_error(answered.error().message());
        if (interrupt_flag().cancelled() && !person) return kInterrupted;
        interrupt_flag().reset();
      }
      text.clear();
    }
  }

 private:
  void restart() {
    messages_ = OrderedJson::array();
    if (!o_.system.empty()) messages_.push_back({{"role", "system"}, {"content", o_.system}});
  }

  Status answer_to(const std::string& text) {
    OrderedJson messages = messages_;
    messages.push_back({{"role", "user"}, {"content", text}});
    WEFT_TRY(GenerateRequest request, make_request(o_.text, model_));
    WEFT_TRY(request.prompt, prompt_.ids(messages, local_time()));
    Status printed;
    auto done = context_.wait(session_.generate(std::move(request), [&](const TokenEvent& event) {
      if (printed && !event.text.empty()) printed = context_.print(event.text);
      if (!printed) interrupt_flag().cancel();
    }));
    if (!done) {
      if (done.error().code == Code::context_full) {
        return fail(Code::context_full, "chat", "context", "", "the conversation does not fit any more",
                    "/reset starts a new one; --ctx makes room");
      }
      return fail(done.error());
    }
    WEFT_CHECK_OK(std::move(printed));
    WEFT_CHECK_OK(context_.print("\n"));
    if (done->stop == StopReason::cancelled) note(styled(stderr, Style::dim, "[stopped]"));
    if (done->stop == StopReason::context_full)
      note(styled(stderr, Style::dim, "[the context is full; /reset starts anew]"));
    if (done->stop == StopReason::max_tokens) note(styled(stderr, Style::dim, "[cut at --max-tokens]"));
    messages.push_back({{"role", "assistant"}, {"content", done->text}});
    messages_ = std::move(messages);
    stats_ = std::move(done->stats);
    if (context_.common.verbose) note(styled(stderr, Style::dim, statistics_line(*stats_, false)));
    return {};
  }

  // False: leave.
  Result<bool> command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "/exit" || name == "/quit") return false;
    if (name == "/help") {
      note(
          "/reset           forget the conversation\n"
          "/system TEXT     forget it and begin with this instruction (no text: none)\n"
          "/save FILE       write the conversation as JSON\n"
          "/load FILE       go on with a saved conversation\n"
          "/stats           speed and memory of the last answer\n"
          "/exit            leave (or Ctrl-D)\n"
          "A line that ends in \\ goes on in the next one.");
    } else if (name == "/reset" || name == "/system") {
      if (name == "/system") o_.system = rest;
      restart();
      note(styled(stderr, Style::dim, "new conversation"));
    } else if (name == "/save" && !rest.empty()) {
      WEFT_TRY(const auto sink, create_file(rest));
      const std::string text = dump_json(messages_, 2) + "\n";
      WEFT_CHECK_OK(sink->write(std::as_bytes(std::span(text))));
      WEFT_CHECK_OK(sink->commit());
      note(styled(stderr, Style::dim, format("%zu messages in %s", messages_.size(), rest.c_str())));
    } else if (name == "/load" && !rest.empty()) {
      WEFT_CHECK_OK(load(rest));
      note(styled(stderr, Style::dim, format("%zu messages", messages_.size())));
    } else if (name == "/stats") {
      note(stats_ ? statistics_line(*stats_, true) : "no answer yet");
    } else {
      return fail(Code::invalid_argument, "chat", "command", "one that /help lists", line);
    }
    return true;
  }

  Context& context_;
  Options& o_;
  const LanguageModel& model_;
  Session& session_;
  ChatPrompt prompt_;
  LineEditor editor_;
  OrderedJson messages_;
  std::optional<Statistics> stats_;
};

Outcome chat(Context& context, Options& o) {
  std::string source;
  if (o.template_file) {
    WEFT_TRY(source, read_file(*o.template_file));
  }
  catch_interrupt();
  WEFT_TRY(const auto model, context.load_model(context.load_options()));
  WEFT_TRY(ChatPrompt prompt, ChatPrompt::create(*model, source));
  WEFT_TRY(const auto session, context.wait(model->new_session()));
  Chat chat(context, o, *model, *session, std::move(prompt));
  if (o.load) WEFT_CHECK_OK(chat.load(*o.load));
  return chat.run();
}

}  // namespace

Command chat_command() {
  auto o = std::make_shared<Options>();
  o->text.max_tokens = -1;
  return {"chat",
          "Talk with a model",
          "  weft chat -m Qwen/Qwen2.5-0.5B-Instruct-GGUF\n"
          "  weft chat -m model.gguf --system \"Answer in one sentence.\" --temp 0.3\n"
          "  echo \"What is the capital of France?\" | weft chat -m model.gguf\n",
          kModel | kRun | kThreads,
          [o](Args& args) {
            args.option("--system", o->system, "instruction before the conversation");
            args.option("--template", o->template_file, "a Jinja file instead of the model's own chat template").file();
            args.option("--load", o->load, "go on with a conversation that /save wrote").file();
            declare_text_options(args, o->text);
          },
          [o](Context& context) { return chat(context, *o); }};
}

}  // namespace weft::cli
