// The program: finds the command, runs it, turns its outcome into an exit status and one line on stderr.
#include <algorithm>
#include <array>
#include <vector>

#include "command.h"
#include "help.h"
#include "native_host.h"

namespace weft::cli {
namespace {

void declare_common(Args& args, unsigned wants, Common& common) {
  args.group("Common");
  if (wants & kModel) {
    args.option("-m,--model", common.model, "GGUF or safetensors file, model folder, or pulled owner/repo[:format]")
        .file();
  }
  if (wants & kRun) {
    args.option("--device", common.device, "where to compute; auto: a GPU that is no software, else the CPU (auto)")
        .one_of({"auto", "cpu", "webgpu"});
    if (wants & kThreads) args.option("-t,--threads", common.threads, "threads; 0: all (0)").between(0, 256);
    args.option("-c,--ctx", common.context, "context length in tokens; 0: the model's, at most 4096 (0)")
        .between(0, 1e9);
    args.option("--kv", common.kv, "number format of the KV cache (f16; verify: f32)").one_of({"f32", "f16", "q8_0"});
    args.option("--cpu-level", common.cpu_level, "use no better instruction set than this")
        .one_of({"baseline", "avx2", "avx512_vnni", "neon"});
    args.flag("--no-passes", common.no_passes, "run the graph as the model defines it, without optimising it");
  }
  if (wants & kRun)
    args.option("--adapter", common.adapter, "which GPU, a number of `weft devices` (0)").between(0, 63);
  if (wants & (kRun | kGpu)) {
    args.option("--caps", common.caps, "use no more of the GPU than this browser grants, or WebGPU at least (full)")
        .one_of({"full", "chrome", "safari", "minimum"});
  }
  if (wants & kRun) {
    args.option("--burst", common.burst, "tokens that a GPU generates between two looks of the host; 0: measured (0)")
        .between(0, 255);
  }
  if (wants & kRun) args.flag("--no-tuning", common.no_tuning, "ignore what `weft tune` found for this GPU");
  if (wants & kJson) args.flag("--json", common.json, "one JSON document on stdout, nothing else there");
  if (wants) args.flag("-v,--verbose", common.verbose, "say more on stderr");
}

// The scripts and the man page come from the definition of all commands, which only main knows.
Command completion_command(std::shared_ptr<const ProgramInfo*> program) {
  auto kind = std::make_shared<std::string>();
  return {"completion",
          "Print a completion script for your shell, or the man page",
          "  source <(weft completion bash)\n"
          "  weft completion zsh > ~/.zfunc/_weft\n"
          "  weft completion fish > ~/.config/fish/completions/weft.fish\n"
          "  weft completion man | man -l -\n",
          kNothing,
          [kind](Args& args) {
            args.positional("kind", *kind, "bash, zsh, fish or man").required().one_of({"bash", "zsh", "fish", "man"});
          },
          [kind, program](Context& context) -> Outcome {
            const ProgramInfo& info = **program;
            const std::string text = *kind == "bash"   ? bash_completion(info)
                                     : *kind == "zsh"  ? zsh_completion(info)
                                     : *kind == "fish" ? fish_completion(info)
                                                       : man_page(info, version());
            WEFT_CHECK_OK(context.print(text));
            return kOk;
          }};
}

int run(int argc, char** argv) {
  Common common;
  auto program = std::make_shared<const ProgramInfo*>(nullptr);
  const std::vector<Command> commands{
      generate_command(),   chat_command(),     pull_command(),   inspect_command(),
      bench_command(),      devices_command(),  tune_command(),   tokenize_command(),
      detokenize_command(), template_command(), logits_command(), perplexity_command(),
      verify_command(),     quantize_command(), synth_command(),  completion_command(program)};
  std::vector<CommandDecl> decls;
  for (const Command& command : commands) {
    decls.push_back({command.name, command.summary, command.examples, [&](Args& args) {
                       command.declare(args);
                       declare_common(args, command.wants, common);
                     }});
  }
  Parser parser(decls);
  std::vector<const char*> words(argv, argv + argc);
  // "weft help pull" is "weft pull --help".
  if (argc > 1 && std::string_view(words[1]) == "help") {
    if (argc > 2)
      words = {words[0], words[2], "--help"};
    else
      words = {words[0], "--help"};
  }
  const Parsed parsed = parser.parse(static_cast<int>(words.size()), words.data());
  const ProgramInfo info = parser.describe();
  *program = &info;
  if (parsed.version) return std::printf("weft %s\n", std::string(version()).c_str()), kOk;
  if (parsed.help) {
    const std::string text = parsed.command < 0 ? program_help(info) : command_help(info.commands[parsed.command]);
    return std::fputs(text.c_str(), stdout), kOk;
  }
  if (parsed.command < 0 || !parsed.error.empty()) return note_error(parsed.error), kUsage;

  NativeHost host([&](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning || common.verbose) note(styled(stderr, Style::dim, text));
  });
  Context context(host, common);
  const Outcome outcome = commands[parsed.command].run(context);
  if (outcome) return *outcome;
  note_error(outcome.error().message());
  return outcome.error().code == Code::cancelled ? kInterrupted : kFailed;
}

}  // namespace
}  // namespace weft::cli

int main(int argc, char** argv) { return weft::cli::run(argc, argv); }
