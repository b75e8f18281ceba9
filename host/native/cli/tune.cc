// weft tune: measures which kernels are best for a model on this GPU and keeps that for later loads.
#include "command.h"
#include "gpu/tuner.h"
#include "gpu_cache.h"
#include "session/session.h"

namespace weft::cli {
namespace {

struct Options {
  int64_t seconds = 25, depth = 1024;
};

std::string choice_text(const Tuning::Choice& choice) { return choice.kernel + format("/%d", choice.variant); }

std::string table(const TuneReport& report, bool all) {
  std::string text =
      styled(stdout, Style::bold, format("%9s %9s %6s  %-36s %s\n", "first us", "best us", "gain", "best", "for"));
  for (const TunedCall& call : report.calls) {
    const TunedCall::Tried &first = call.tried[0], &best = call.tried[call.best];
    if (call.tried.size() < 2) continue;
    const double gain = first.seconds > 0 && best.seconds > 0 ? 100 * (first.seconds / best.seconds - 1) : 0;
    text += format("%9.2f %9.2f %5.0f%%  %-36s %dx %s\n", first.seconds * 1e6, best.seconds * 1e6, gain,
                   choice_text(best.choice).c_str(), call.steps, call.key.c_str());
    for (size_t i = 0; all && i < call.tried.size(); ++i) {
      const TunedCall::Tried& tried = call.tried[i];
      text += format("%19.2f%s  %s%s\n", tried.seconds * 1e6, i == call.best ? " *" : "  ",
                     choice_text(tried.choice).c_str(), tried.error.empty() ? "" : (": " + tried.error).c_str());
    }
  }
  return text;
}

OrderedJson document(const TuneReport& report, const std::string& device, const std::string& path) {
  OrderedJson calls = OrderedJson::array(), plans = OrderedJson::array();
  for (const TunedCall& call : report.calls) {
    OrderedJson tried = OrderedJson::array();
    for (const TunedCall::Tried& t : call.tried) {
      OrderedJson row = {{"kernel", t.choice.kernel}, {"variant", t.choice.variant}, {"us", t.seconds * 1e6}};
      if (!t.error.empty()) row["error"] = t.error;
      tried.push_back(std::move(row));
    }
    calls.push_back({{"call", call.key}, {"steps", call.steps}, {"best", call.best}, {"tried", std::move(tried)}});
  }
  for (const TuneReport::PlanTime& p : report.plans)
    plans.push_back(
        {{"tokens", p.tokens}, {"before_ms", p.before * 1e3}, {"after_ms", p.after * 1e3}, {"kept", p.kept}});
  return {{"device", device}, {"path", path}, {"complete", report.complete}, {"plans", plans}, {"calls", calls}};
}

Outcome run(Context& context, const Options& o) {
  catch_interrupt();
  LoadOptions options = context.load_options();
  options.tuning = nullptr;
  if (options.device == "auto")
    options.device = "webgpu";  // nothing is tuned on the CPU: without a GPU, the error says so
  if (options.device == "cpu") return usage_error("tune", "--device cpu has nothing to tune");
  WEFT_TRY(const auto model, context.load_model(options));
  auto& device = static_cast<WebgpuDevice&>(model->device());
  Progress bar("tuning", Progress::Unit::items);
  const Plan* const plans[] = {&model->decode_plan(), &model->prefill_plan()};
  TuneOptions tuning{.seconds = static_cast<double>(o.seconds), .context = o.depth};
  tuning.progress = [&](int64_t done, int64_t total) { bar.update(done, total); };
  tuning.cancel = &interrupt_flag();
  WEFT_TRY(const TuneReport report, context.wait(tune(context.host, device, model->model(), plans, tuning)));
  bar.clear();
  WEFT_TRY(const std::string path, keep_tuning(context.host, device.caps().gpu, report.tuning));
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json(document(report, device.caps().name, path)));
    return kOk;
  }
  std::string text = table(report, context.common.verbose);
  for (const TuneReport::PlanTime& p : report.plans)
    text += format("a step of %lld token%s: %.3f ms before, %.3f ms tuned%s\n", static_cast<long long>(p.tokens),
                   p.tokens == 1 ? "" : "s", p.before * 1e3, p.after * 1e3, p.kept ? "" : " (no gain: not kept)");
  if (!report.complete) text += "the time was up before everything was tried: --seconds\n";
  WEFT_CHECK_OK(context.print(text + "kept in " + path + "\n"));
  return kOk;
}

}  // namespace

Command tune_command() {
  auto o = std::make_shared<Options>();
  return {"tune",
          "Measure which kernels are best for a model on this GPU",
          "  weft tune -m model.gguf\n"
          "  weft tune -m model.gguf --seconds 60 -v\n"
          "What is found is kept for this GPU and driver and used whenever a model with such shapes is loaded; "
          "--no-tuning\n"
          "ignores it. -v shows everything that was tried. Tune again after an update of weft.\n",
          kModel | kRun | kJson,
          [o](Args& args) {
            args.option("--seconds", o->seconds, "try nothing new after this time (25)").between(1, 3600);
            args.option("-d,--depth", o->depth, "tokens in the context while decoding (1024)").between(1, 1e6);
          },
          [o](Context& context) { return run(context, *o); }};
}

}  // namespace weft::cli
