// What weft.hpp promises, checked from outside by a program that knows nothing but the installed headers. Built by
// run.sh with g++ and clang++; exits with the number of failed checks.
//
//   wrapper_check MODEL     MODEL may be "" for the built-in one
#include <iostream>
#include <thread>
#include <weft/weft.hpp>

namespace {

int failures = 0;
void check(bool condition, const char* what) {
  if (condition) return;
  ++failures;
  std::cerr << "failed: " << what << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "";
  std::string log;
  int64_t done = 0, total = 0;
  weft::LoadOptions load;
  load.threads = 1;
  load.sessions = 2;
  load.on_log = [&log](weft::LogLevel, std::string_view text) { log += text; };
  load.on_progress = [&](int64_t d, int64_t t) {
    done = d;
    total = t;
    return true;
  };
  auto loaded = path.empty() ? weft::Model::load(load) : weft::Model::load(path, load);
  if (!loaded) {
    std::cerr << loaded.error().message << '\n';
    return 1;
  }
  check(log.find("needs ") != std::string::npos, "the log tells the memory needed");
  check(done == total && total > 0, "progress reaches the end");

  std::optional<weft::Model> model = std::move(*loaded);
  auto session = model->new_session();
  check(session.has_value(), "a session");
  check(model->info()->find("\"architecture\"") != std::string::npos, "info is JSON");

  weft::GenerateOptions options;
  options.max_tokens = 20;
  options.temperature = 0;
  options.ignore_end = true;
  std::string streamed;
  auto first = session->generate("Once upon a time", options, [&](const weft::Token& token) {
    streamed += token.text;
    return true;
  });
  check(first && first->text() == streamed && first->ids().size() == 20, "streamed text is the text");
  check(first && first->stop() == "max-tokens", "why it stopped");
  check(first && first->json().find("\"stats\"") != std::string_view::npos, "statistics");

  auto ids = model->tokenize("Once upon a time");
  check(ids.has_value(), "tokenize");
  auto by_ids = session->generate(std::span<const int32_t>(*ids), options);
  check(by_ids && by_ids->text() == first->text(), "a prompt as tokens");
  auto back = model->detokenize(*ids);
  check(back && back->find("upon a time") != std::string::npos, "detokenize");

  int seen = 0;
  auto stopped = session->generate("Once upon a time", options, [&](const weft::Token&) { return ++seen < 3; });
  check(stopped && stopped->stop() == "cancelled" && seen == 3, "a callback that stops");
  options.bias = {{first->ids()[0], -1e9f}};
  auto biased = session->generate("Once upon a time", options);
  check(biased && biased->ids()[0] != first->ids()[0], "bias");
  options.bias.clear();
  options.stop = {std::string(first->text().substr(4, 5))};
  auto cut = session->generate("Once upon a time", options);
  check(cut && cut->stop() == "stop-string", "stop strings");
  options.stop.clear();

  auto saved = session->save();
  check(saved.has_value() && session->reset().has_value() && session->restore(*saved).has_value(), "save and restore");
  check(!session->restore(std::span(*saved).first(10)), "a damaged state is refused");
  options.top_p = 7;
  auto wrong = session->generate("x", options);
  check(!wrong && wrong.error().name == "invalid-argument" && wrong.error().code != 0, "errors have names");
  options.top_p = 1;
  check(!weft::Model::load("/absent.gguf"), "a missing file");
  const weft::Message message{"user", "A \"quoted\" line\nand\ttab"};
  auto chat = session->chat(std::span(&message, 1), options);
  check(chat.has_value() || chat.error().name == "no-template", "chat answers or says that there is no template");

  auto second = model->new_session();
  model.reset();  // sessions go on without it
  std::thread other([&] { check(second->generate("Once upon a time", options)->text() == streamed, "two threads"); });
  check(session->generate("Once upon a time", options)->text() == streamed, "a session outlives its model");
  other.join();
  return failures;
}
