// weft generate: continues a text.
#include "native_host.h"
#include "profile.h"
#include "sampling_options.h"

namespace weft::cli {
namespace {

constexpr std::string_view kFirstPrompt = "Once upon a time";

struct Options {
  TextOptions text;
  std::optional<std::string> prompt, file, ids, profile;
  std::optional<int64_t> logprobs;
  bool no_bos = false, ignore_eos = false, no_echo = false;
};

OrderedJson logprob_rows(const std::vector<Sampled>& rows) {
  OrderedJson list = OrderedJson::array();
  for (const Sampled& row : rows) {
    OrderedJson best = OrderedJson::array();
    for (const Logprob& other : row.best) best.push_back({{"id", other.id}, {"logprob", other.logprob}});
    list.push_back({{"id", row.chosen.id}, {"logprob", row.chosen.logprob}, {"best", std::move(best)}});
  }
  return list;
}

OrderedJson document(const std::vector<int32_t>& prompt, const Generated& done) {
  const Statistics& s = done.stats;
  OrderedJson json = {
      {"prompt_ids", prompt}, {"ids", done.ids}, {"text", done.text}, {"stop", stop_reason_name(done.stop)}};
  if (!done.logprobs.empty()) json["logprobs"] = logprob_rows(done.logprobs);
  json["stats"] = {{"device", s.device},
                   {"kernels", s.kernels},
                   {"load_ms", s.load_ms},
                   {"ttft_ms", s.ttft_ms},
                   {"prefill_tokens", s.prefill_tokens},
                   {"prefill_tps", s.prefill_tps},
                   {"decode_tokens", s.decode_tokens},
                   {"decode_tps", s.decode_tps},
                   {"submit_us", s.submit_us},
                   {"peak_bytes", peak_memory_bytes()}};
  return json;
}

Outcome generate(Context& context, Options& o) {
  const bool builtin = context.common.model == kBuiltinModel, json = context.common.json;
  if (!o.prompt && !o.file && !o.ids) {
    if (!builtin) return usage_error("generate", "give a prompt with -p, -f or --ids");
    o.prompt = kFirstPrompt;
  }
  if (o.logprobs && !json) return usage_error("generate", "--logprobs needs --json");
  std::string text = o.prompt.value_or("");
  if (o.file) {
    WEFT_TRY(text, read_file(*o.file));
  }
  std::vector<int32_t> prompt;
  if (o.ids) {
    WEFT_TRY(prompt, parse_ids(*o.ids));
  }
  catch_interrupt();
  WEFT_TRY(const auto model, context.load_model(context.load_options()));
  if (o.profile) WEFT_CHECK_OK(can_profile(*model));
  if (!o.ids) {
    WEFT_TRY(const Tokenizer* tokenizer, model->require_tokenizer());
    // The end token that some models put after a text would end the story before it begins.
    WEFT_TRY(prompt, tokenizer->encode(text, {.add_bos = false}));
    if (!o.no_bos) prompt.insert(prompt.begin(), tokenizer->prefix().begin(), tokenizer->prefix().end());
  }
  if (prompt.empty())
    return usage_error("generate", "the prompt is empty and this model has no token that begins a text");
  WEFT_TRY(GenerateRequest request, make_request(o.text, *model));
  request.prompt = prompt;
  request.ignore_end = o.ignore_eos;
  if (o.logprobs) request.sampling.logprobs = static_cast<int32_t>(*o.logprobs);
  if (context.common.verbose) note(format("seed %llu", static_cast<unsigned long long>(request.sampling.seed)));

  WEFT_TRY(const auto session, context.wait(model->new_session()));
  Status printed;
  const auto show = [&](std::string_view piece) {
    if (printed && !piece.empty()) printed = context.print(piece);
    if (!printed) interrupt_flag().cancel();  // nobody can read on
  };
  if (!json && o.prompt && !o.no_echo) show(styled(stdout, Style::bold, text));
  const auto done = context.wait(session->generate(std::move(request), [&](const TokenEvent& event) {
    if (!json) show(event.text);
  }));
  if (!done) return fail(done.error());
  WEFT_CHECK_OK(std::move(printed));
  if (json) {
    WEFT_CHECK_OK(context.print_json(document(prompt, *done)));
  } else {
    WEFT_CHECK_OK(context.print(done->text.ends_with('\n') ? "" : "\n"));
    note("\n" + styled(stderr, Style::dim, statistics_line(done->stats, context.common.verbose)));
    if (builtin && done->stop != StopReason::cancelled) {
      note(styled(stderr, Style::dim,
                  "next: weft generate -p \"The dragon was\" --temp 1 · weft pull "
                  "Qwen/Qwen2.5-0.5B-Instruct-GGUF, then weft chat -m of that · weft --help"));
    }
  }
  if (done->stop == StopReason::cancelled) return kInterrupted;
  if (o.profile) {
    const int64_t depth = static_cast<int64_t>(prompt.size() + done->ids.size());
    WEFT_TRY(const std::string profiled, profile(context, *model, *o.profile, depth));
    note("\n" + profiled);
  }
  return kOk;
}

}  // namespace

Command generate_command() {
  auto o = std::make_shared<Options>();
  return {"generate",
          "Continue a text",
          "  weft generate -p \"Once upon a time\"\n"
          "  weft generate -m model.gguf -f prompt.txt -n 500 --temp 0\n"
          "  weft generate -m model.gguf --ids 1,403,407 -n 20 --json\n",
          kModel | kRun | kThreads | kJson,
          [o](Args& args) {
            args.option("-p,--prompt", o->prompt, "the text to continue");
            args.option("-f,--file", o->file, "read the text from a file; - is standard input")
                .file()
                .conflicts("--prompt");
            args.option("--ids", o->ids, "the prompt as token ids")
                .value("1,2,3")
                .conflicts("--prompt")
                .conflicts("--file");
            args.flag("--no-bos", o->no_bos, "leave out the token that begins a text");
            args.flag("--no-echo", o->no_echo, "print only what is generated");
            args.flag("--ignore-eos", o->ignore_eos, "go on past tokens that end the text");
            args.option("--logprobs", o->logprobs, "log-probabilities of the chosen and the N best tokens, in --json")
                .between(0, 1000);
            declare_profile(args, o->profile);
            declare_text_options(args, o->text);
          },
          [o](Context& context) { return generate(context, *o); }};
}

}  // namespace weft::cli
