#include "verify_steps.h"

#include <algorithm>
#include <cmath>

#include "plan/step_input.h"
#include "session/session.h"

namespace weft::cli {
namespace {

constexpr int64_t kPrompt = 32, kSteps = 8;
constexpr int64_t kContext = 512;  // as bench has it without options

int32_t best_of(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// One row of logits after the prompt and one after each step. Steps beyond the end of `ids` take the best token of the
// row before, which is appended.
Result<std::vector<std::vector<float>>> run_steps(Context& context, LanguageModel& model, std::vector<int32_t>& ids) {
  std::vector<std::vector<float>> rows;
  Device& device = model.device();
  for (int64_t done = 0; done < kPrompt + kSteps;) {
    const Plan& plan = done == 0 ? model.prefill_plan() : model.decode_plan();
    const int64_t count = done == 0 ? kPrompt : 1;
    if (done == static_cast<int64_t>(ids.size())) ids.push_back(best_of(rows.back()));
    const StepInput input(plan, {.ids = std::span(ids).subspan(done, count), .first = done});
    WEFT_CHECK_OK(context.wait(device.submit(plan, input.bindings(), &interrupt_flag(), nullptr)));
    const auto logits = std::ranges::find(plan.graph.outputs, "logits", &Port::name);
    std::vector<float>& row = rows.emplace_back(static_cast<size_t>(model.model().vocab_size));
    WEFT_CHECK_OK(context.wait(device.read(plan, static_cast<int>(logits - plan.graph.outputs.begin()),
                                           std::as_writable_bytes(std::span(row)))));
    done += count;
  }
  return rows;
}

struct Differences {
  int64_t compared = 0, missed = 0, same_tokens = 0;
  double max_abs = 0, max_rel = 0;  // relative: over logits of 1 and more
  double squares = 0, spread = 0;   // sums of squares: of the differences, of the reference about its mean
  std::string first_miss, detail;
};

void compare_row(int64_t step, std::span<const float> want, std::span<const float> got, float atol, float rtol,
                 Differences& d) {
  double mean = 0;
  for (const float v : want) mean += v / static_cast<double>(want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(got[i]) - want[i]);
    ++d.compared;
    if (!(difference <= atol + rtol * std::fabs(want[i]))) {  // so that a NaN is a miss
      if (d.missed++ == 0) {
        d.first_miss = step == 0 ? "logits of the prompt" : format("logits of step %lld", static_cast<long long>(step));
        d.detail =
            format("token %zu: the CPU's %g, found %g", i, static_cast<double>(want[i]), static_cast<double>(got[i]));
      }
    }
    d.max_abs = std::fmax(d.max_abs, difference);
    if (std::fabs(want[i]) >= 1) d.max_rel = std::fmax(d.max_rel, difference / std::fabs(want[i]));
    d.squares += difference * difference;
    d.spread += (want[i] - mean) * (want[i] - mean);
  }
  d.same_tokens += best_of(want) == best_of(got);
}

// Everything in f32: sums differ in their order alone.
bool all_f32(const LanguageModel& model, DType kv) {
  return kv == DType::f32 &&
         std::ranges::all_of(model.model().weights, [](const WeightDecl& w) { return w.dtype == DType::f32; });
}

}  // namespace

Outcome verify_steps(Context& context, const StepTolerance& tolerance) {
  catch_interrupt();
  LoadOptions options = context.load_options();
  if (options.device == "auto") options.device = "webgpu";
  LoadOptions on_cpu = options;
  on_cpu.device = "cpu";
  std::vector<int32_t> ids;
  std::vector<std::vector<float>> want;
  std::string cpu;
  bool exact = false;
  {
    // One after the other: together they may not fit.
    WEFT_TRY(const auto model, context.load_model(on_cpu));
    if (options.context == 0) options.context = std::min(kContext, model->context());
    if (options.context < kPrompt + kSteps) {
      return fail(Code::invalid_argument, context.common.model, "context",
                  "at least " + std::to_string(kPrompt + kSteps), std::to_string(options.context));
    }
    for (int64_t i = 0; i < kPrompt; ++i)
      ids.push_back(static_cast<int32_t>((i * 7919 + 13) % std::min<int64_t>(model->model().vocab_size, 1000)));
    WEFT_TRY(want, run_steps(context, *model, ids));
    cpu = model->caps().name;
    exact = all_f32(*model, options.kv);
  }
  WEFT_TRY(const auto model, context.load_model(options));
  WEFT_TRY(const auto got, run_steps(context, *model, ids));

  const float atol = tolerance.absolute_or(exact ? 1e-3f : 0.1f);
  const float rtol = tolerance.relative_or(exact ? 1e-3f : 0.05f);
  Differences d;
  for (size_t i = 0; i < want.size(); ++i) compare_row(static_cast<int64_t>(i), want[i], got[i], atol, rtol, d);
  const double rms = std::sqrt(d.squares / static_cast<double>(d.compared));
  const double deviation = std::sqrt(d.spread / static_cast<double>(d.compared));
  const auto tuning = model->caps().tuning;
  const size_t tuned = tuning ? tuning->choices.size() : 0;
  const auto rows = static_cast<long long>(want.size());
  note(format("%lld logits of a prompt of %lld tokens and %lld steps on %s (%zu kernels tuned) against %s",  //
              static_cast<long long>(d.compared), static_cast<long long>(kPrompt), static_cast<long long>(kSteps),
              model->caps().name.c_str(), tuned, cpu.c_str()));
  note(
      format("differences: largest %.2e (relative %.2e), root mean square %.2e of logits with deviation %.2e; allowed "
             "%g + %g of the logit",
             d.max_abs, d.max_rel, rms, deviation, static_cast<double>(atol), static_cast<double>(rtol)));
  note(format("%lld of %lld rows have the CPU's best token; %lld logits miss", static_cast<long long>(d.same_tokens),
              rows, static_cast<long long>(d.missed)));
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"checked", d.compared},
                                      {"missed", d.missed},
                                      {"first_miss", d.missed ? OrderedJson(d.first_miss) : OrderedJson()},
                                      {"max_abs", d.max_abs},
                                      {"max_rel", d.max_rel},
                                      {"rms", rms},
                                      {"deviation", deviation},
                                      {"rows", rows},
                                      {"same_tokens", d.same_tokens},
                                      {"device", model->caps().name},
                                      {"tuned", tuned}}));
  }
  if (d.missed > 0) {
    return fail(Code::mismatch, context.common.model, d.first_miss,
                format("all within %g + %g of the logit", static_cast<double>(atol), static_cast<double>(rtol)),
                format("%lld of %lld that differ by more; %s", static_cast<long long>(d.missed),
                       static_cast<long long>(d.compared), d.detail.c_str()));
  }
  if (!context.common.json) {
    WEFT_CHECK_OK(context.print(
        format("%lld logits agree on %s\n", static_cast<long long>(d.compared), model->caps().name.c_str())));
  }
  return kOk;
}

}  // namespace weft::cli
