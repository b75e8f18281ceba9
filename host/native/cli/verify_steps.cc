#include "verify_steps.h"

#include <algorithm>
#include <cmath>

#include "plan/step_input.h"
#include "session/session.h"

namespace weft::cli {
namespace {

constexpr int64_t kPrompt = 32, kSteps = 8;
constexpr int64_t kContext = 512;  // as bench has it without options
// Rounding rows to 8 bits and a cache in f16 move the CPU's logits too. Where that is more than the usual tolerance (a
// deep model of random weights), so much of it is allowed between the two.
constexpr double kRoundings = 1.5;

using Rows = std::vector<std::vector<float>>;

int32_t best_of(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// One row of logits after the prompt and one after each step. Steps beyond the end of `ids` take the best token of the
// row before, which is appended.
Result<Rows> run_steps(Context& context, LanguageModel& model, std::vector<int32_t>& ids) {
  Rows rows;
  Device& device = model.device();
  for (int64_t done = 0; done < kPrompt + kSteps;) {
    const Plan& plan = done == 0 ? model.prefill_plan() : model.decode_plan();
    const int64_t count = done == 0 ? kPrompt : 1;
    if (done == static_cast<int64_t>(ids.size())) ids.push_back(best_of(rows.back()));
    const StepInput input(plan, {.ids = std::span(ids).subspan(done, count), .first = done});
    WEFT_CHECK_OK(context.wait(device.submit(plan, input.bindings(), &interrupt_flag(), nullptr)));
    const int logits = port_index(plan.graph.outputs, "logits");
    std::vector<float>& row = rows.emplace_back(static_cast<size_t>(model.model().vocab_size));
    WEFT_CHECK_OK(context.wait(device.read(plan, logits, std::as_writable_bytes(std::span(row)))));
    done += count;
  }
  return rows;
}

struct Differences {
  double largest = 0, relative = 0;  // relative: over logits of 1 and more
  double rms = 0;
};

Differences differences(const Rows& want, const Rows& got) {
  Differences d;
  size_t count = 0;
  for (size_t r = 0; r < want.size(); ++r) {
    for (size_t i = 0; i < want[r].size(); ++i, ++count) {
      const double b = want[r][i], difference = std::fabs(got[r][i] - b);
      d.largest = std::fmax(d.largest, difference);
      if (std::fabs(b) >= 1) d.relative = std::fmax(d.relative, difference / std::fabs(b));
      d.rms += difference * difference;
    }
  }
  d.rms = std::sqrt(d.rms / static_cast<double>(count));
  return d;
}

double deviation(const Rows& rows) {
  double sum = 0, squares = 0, count = 0;
  for (const std::vector<float>& row : rows) {
    for (const double v : row) sum += v, squares += v * v;
    count += static_cast<double>(row.size());
  }
  return std::sqrt(squares / count - sum / count * (sum / count));
}

struct Misses {
  int64_t compared = 0, missed = 0;
  std::string first, detail;
};

// A NaN is a miss.
Misses find_misses(const Rows& want, const Rows& got, double atol, double rtol) {
  Misses m;
  for (size_t r = 0; r < want.size(); ++r) {
    for (size_t i = 0; i < want[r].size(); ++i) {
      const double b = want[r][i], a = got[r][i];
      ++m.compared;
      if (std::fabs(a - b) <= atol + rtol * std::fabs(b) || m.missed++ > 0) continue;
      m.first = r == 0 ? "logits of the prompt" : format("logits of step %zu", r);
      m.detail = format("token %zu: the CPU's %g, found %g", i, b, a);
    }
  }
  return m;
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
  Rows want, exact;
  std::string cpu;
  // One after the other: together they may not fit.
  {
    WEFT_TRY(const auto model, context.load_model(on_cpu));
    on_cpu.context = options.context = options.context > 0 ? options.context : std::min(kContext, model->context());
    if (options.context < kPrompt + kSteps) {
      return fail(Code::invalid_argument, context.common.model, "context",
                  "at least " + std::to_string(kPrompt + kSteps), std::to_string(options.context));
    }
    for (int64_t i = 0; i < kPrompt; ++i)
      ids.push_back(static_cast<int32_t>((i * 7919 + 13) % std::min<int64_t>(model->model().vocab_size, 1000)));
    WEFT_TRY(want, run_steps(context, *model, ids));
    cpu = model->caps().name;
    if (!all_f32(*model, options.kv)) exact.emplace_back();
  }
  double atol = 1e-3, rtol = 1e-3;
  Differences rounding;
  if (!exact.empty()) {
    on_cpu.disabled_passes = {"*"};
    on_cpu.kv = DType::f32;
    WEFT_TRY(const auto model, context.load_model(on_cpu));
    WEFT_TRY(exact, run_steps(context, *model, ids));
    rounding = differences(exact, want);
    atol = std::max(0.1, kRoundings * rounding.largest), rtol = 0.05;
  }
  if (tolerance.absolute >= 0) atol = static_cast<double>(tolerance.absolute);
  if (tolerance.relative >= 0) rtol = static_cast<double>(tolerance.relative);
  WEFT_TRY(const auto model, context.load_model(options));
  WEFT_TRY(const Rows got, run_steps(context, *model, ids));

  const Differences d = differences(want, got);
  const Misses misses = find_misses(want, got, atol, rtol);
  const double spread = deviation(want);
  const auto tuning = model->caps().tuning;
  const size_t tuned = tuning ? tuning->choices.size() : 0;
  int64_t same = 0;
  for (size_t r = 0; r < want.size(); ++r) same += best_of(want[r]) == best_of(got[r]);
  const auto rows = static_cast<int64_t>(want.size());
  note(format("%lld logits (prompt of %lld tokens, %lld steps) of %s, %zu kernels tuned, against %s",
              static_cast<long long>(misses.compared), static_cast<long long>(kPrompt), static_cast<long long>(kSteps),
              model->caps().name.c_str(), tuned, cpu.c_str()));
  note(format("differences %.2e at most (relative %.2e), root mean square %.2e, of logits with deviation %.2e",
              d.largest, d.relative, d.rms, spread));
  Differences off;
  if (!exact.empty()) {
    off = differences(exact, got);
    note(
        format("from the graph without passes in f32: %.2e at most, root mean square %.2e; the CPU's own %.2e and %.2e",
               off.largest, off.rms, rounding.largest, rounding.rms));
  }
  note(format("%lld of %lld rows have the CPU's best token; %lld logits differ by more than %.3g + %.3g of the logit",
              static_cast<long long>(same), static_cast<long long>(rows), static_cast<long long>(misses.missed), atol,
              rtol));
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"checked", misses.compared},
                                      {"missed", misses.missed},
                                      {"first_miss", misses.missed ? OrderedJson(misses.first) : OrderedJson()},
                                      {"max_abs", d.largest},
                                      {"max_rel", d.relative},
                                      {"rms", d.rms},
                                      {"deviation", spread},
                                      {"from_exact", {{"rms", off.rms}, {"cpu_rms", rounding.rms}}},
                                      {"allowed", {atol, rtol}},
                                      {"rows", rows},
                                      {"same_tokens", same},
                                      {"device", model->caps().name},
                                      {"tuned", tuned}}));
  }
  if (misses.missed > 0) {
    return fail(Code::mismatch, context.common.model, misses.first,
                format("within %.3g + %.3g of the logit", atol, rtol),
                format("%lld of %lld that differ by more; %s", static_cast<long long>(misses.missed),
                       static_cast<long long>(misses.compared), misses.detail.c_str()));
  }
  if (atol > 0.1 && off.rms > kRoundings * rounding.rms) {
    return fail(Code::mismatch, context.common.model, "distance from the graph without passes in f32",
                format("at most %g times the CPU's %.2e", kRoundings, rounding.rms), format("%.2e", off.rms));
  }
  if (!context.common.json) {
    WEFT_CHECK_OK(context.print(
        format("%lld logits agree on %s\n", static_cast<long long>(misses.compared), model->caps().name.c_str())));
  }
  return kOk;
}

}  // namespace weft::cli
