// What every command sees: the common options, the host, and ways to print. A command is one file with one function
// that returns a Command; main.cc lists them.
//
//   Command tokenize_command() {
//     auto o = std::make_shared<Options>();
//     return {"tokenize", "Turn text into token ids", "  weft tokenize -p Hello\n", kModelOption,
//             [o](Args& args) { args.option("-p,--prompt", o->prompt, "the text"); },
//             [o](Context& context) { return tokenize(context, *o); }};
//   }
#pragma once

#include "args.h"
#include "base/host.h"
#include "base/json.h"
#include "terminal.h"

namespace weft {
struct LoadOptions;
struct GpuOptions;
class LanguageModel;
class TensorFile;
class Tokenizer;
}  // namespace weft

namespace weft::cli {

// Which of the common options a command takes.
enum Wants : unsigned { kNothing = 0, kJson = 1, kModel = 2, kRun = 4, kThreads = 8, kGpu = 16 };  // kRun: kGpu too

struct Common {
  std::string model = "builtin:default";
  std::string device = "auto", caps = "full", kv, cpu_level;  // kv empty: f16, or what the command says
  int64_t threads = 0, context = 0, adapter = 0, burst = 0;
  bool no_passes = false, no_tuning = false, json = false, verbose = false;
};

class Context {
 public:
  Context(Host& host, Common common) : host(host), common(std::move(common)) {}
  Host& host;
  Common common;

  template <class T>
  T wait(Task<T> task) {
    return run_to_end(std::move(task), [this] { host.poll(); });
  }
  // The file or folder that -m names: a path as it is, a repository through the cache of `weft pull`.
  Result<std::string> model_path() const;
  Result<std::shared_ptr<TensorFile>> open_model();
  // Of the model that -m names, or of a tokenizer.json (with the tokenizer_config.json beside it).
  Result<std::shared_ptr<const Tokenizer>> open_tokenizer();
  GpuOptions gpu_options() const;
  LoadOptions load_options() const;
  // With a progress bar on a terminal; Ctrl-C stops it.
  Result<std::unique_ptr<LanguageModel>> load_model(LoadOptions options);

  // Writes to stdout; a failure (full disk, closed pipe) is an error like any other.
  Status print(std::string_view text) const;
  Status print_json(const OrderedJson& document) const;
};

// The exit status, or the error that becomes one line on stderr and exit status 1.
using Outcome = Result<int>;
inline constexpr int kOk = 0, kFailed = 1, kUsage = 2, kInterrupted = 130;
// Wrong usage that only the command can see: prints the line, returns kUsage.
int usage_error(std::string_view command, std::string_view message);

struct Command {
  std::string name, summary, examples;
  unsigned wants = kNothing;
  std::function<void(Args&)> declare;
  std::function<Outcome(Context&)> run;
};

Command generate_command();
Command chat_command();
Command inspect_command();
Command tokenize_command();
Command detokenize_command();
Command template_command();
Command logits_command();
Command perplexity_command();
Command bench_command();
Command devices_command();
Command tune_command();
Command verify_command();
Command quantize_command();
Command synth_command();
Command pull_command();

// Helpers that several commands share (context.cc).
Result<std::vector<int32_t>> parse_ids(std::string_view text);  // "1,2,3"; spaces and newlines separate too
Result<std::string> read_file(const std::string& path);         // "-" is stdin
std::string hex(std::string_view bytes);
std::string_view version();

}  // namespace weft::cli
