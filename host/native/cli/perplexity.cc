// weft perplexity: how well the model predicts a text.
//
// A text longer than the context is read in windows: the first scores all its tokens but the first, each later one
// begins half a context further on and scores the tokens that no window before has scored, so that each is predicted
// once, from at least half a context. A later window begins with what the model puts before a text, if it does.
#include <algorithm>
#include <cmath>

#include "command.h"
#include "session/session.h"

namespace weft::cli {
namespace {

struct Options {
  std::optional<std::string> file, ids, prompt;
  bool no_bos = false;
};

double negative_log_likelihood(std::span<const float> logits, int32_t id) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return std::log(sum) + top - logits[static_cast<size_t>(id)];
}

struct Window {
  std::vector<int32_t> ids;
  int64_t scored_from;  // index in `ids` of the first token whose likelihood counts
};

std::vector<Window> windows_of(std::span<const int32_t> ids, std::span<const int32_t> prefix, int64_t context) {
  std::vector<Window> windows;
  const auto n = static_cast<int64_t>(ids.size());
  int64_t scored = std::min(n, context);
  windows.push_back({{ids.begin(), ids.begin() + scored}, 1});
  while (scored < n) {
    const auto lead = static_cast<int64_t>(prefix.size());
    const int64_t overlap = std::max<int64_t>(1, (context - lead) / 2);
    const int64_t fresh = std::min(n - scored, context - lead - overlap);
    Window window{{prefix.begin(), prefix.end()}, lead + overlap};
    window.ids.insert(window.ids.end(), ids.begin() + scored - overlap, ids.begin() + scored + fresh);
    windows.push_back(std::move(window));
    scored += fresh;
  }
  return windows;
}

Outcome perplexity(Context& context, const Options& o) {
  if (!o.file && !o.ids && !o.prompt) return usage_error("perplexity", "give a text with -f or -p, or ids with --ids");
  std::vector<int32_t> ids;
  std::string text = o.prompt.value_or("");
  if (o.ids) {
    WEFT_TRY(ids, parse_ids(*o.ids));
  }
  if (o.file) {
    WEFT_TRY(text, read_file(*o.file));
  }
  catch_interrupt();
  WEFT_TRY(const auto model, context.load_model(context.load_options()));
  std::vector<int32_t> prefix;
  if (!o.ids) {
    WEFT_TRY(const Tokenizer* tokenizer, model->require_tokenizer());
    if (!o.no_bos) prefix.assign(tokenizer->prefix().begin(), tokenizer->prefix().end());
    WEFT_TRY(ids, tokenizer->encode(text, {.add_bos = false}));
    ids.insert(ids.begin(), prefix.begin(), prefix.end());
  }
  if (ids.size() < 2) return usage_error("perplexity", "at least two tokens are needed");
  if (model->context() < static_cast<int64_t>(prefix.size()) + 2)
    return usage_error("perplexity", "--ctx is too small");

  WEFT_TRY(const auto session, context.wait(model->new_session()));
  std::vector<double> nll;
  const int64_t vocab = model->model().vocab_size, total = static_cast<int64_t>(ids.size()) - 1;
  Progress bar("scoring", Progress::Unit::items);
  for (const Window& window : windows_of(ids, prefix, model->context())) {
    WEFT_CHECK_OK(context.wait(session->logits(
        window.ids,
        [&](int64_t first, std::span<const float> rows) -> Status {
          for (int64_t row = 0; row < static_cast<int64_t>(rows.size()) / vocab; ++row) {
            const int64_t next = first + row + 1;
            if (next < window.scored_from || next >= static_cast<int64_t>(window.ids.size())) continue;
            nll.push_back(
                negative_log_likelihood(rows.subspan(static_cast<size_t>(row * vocab), static_cast<size_t>(vocab)),
                                        window.ids[static_cast<size_t>(next)]));
          }
          bar.update(static_cast<int64_t>(nll.size()), total);
          return {};
        },
        &interrupt_flag())));
  }
  bar.clear();
  double sum = 0;
  for (const double value : nll) sum += value;
  const double mean = sum / static_cast<double>(nll.size());
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"nll", mean}, {"tokens", nll.size()}, {"per_token", nll}}));
    return kOk;
  }
  WEFT_CHECK_OK(context.print(format("perplexity %.4f  (mean negative log-likelihood %.5f over %zu tokens)\n",
                                     std::exp(mean), mean, nll.size())));
  return kOk;
}

}  // namespace

Command perplexity_command() {
  auto o = std::make_shared<Options>();
  return {"perplexity",
          "Measure how well the model predicts a text",
          "  weft perplexity -m model.gguf -f book.txt\n"
          "  weft perplexity -m model.gguf --ids 1,403,407,261 --kv f32 --json\n"
          "A text longer than the context is read in windows that overlap by half of it; every token is scored once.\n",
          kModel | kRun | kThreads | kJson,
          [o](Args& args) {
            args.option("-f,--file", o->file, "the text; - is standard input").file();
            args.option("-p,--prompt", o->prompt, "the text itself").conflicts("--file");
            args.option("--ids", o->ids, "token ids, taken as they are")
                .value("1,2,3")
                .conflicts("--file")
                .conflicts("--prompt");
            args.flag("--no-bos", o->no_bos, "leave out the token that begins a text");
          },
          [o](Context& context) { return perplexity(context, *o); }};
}

}  // namespace weft::cli
