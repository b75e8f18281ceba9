// weft verify: every named value of the model against reference activations, along the paths that ship; without them
// the GPU's logits against the CPU's.
#include "session/verify.h"

#include <algorithm>
#include <cmath>

#include "command.h"
#include "file/tensor_file.h"
#include "session/session.h"
#include "verify_steps.h"

namespace weft::cli {
namespace {

struct Options {
  std::optional<std::string> model, reference;
  StepTolerance tolerance;
};

// The four ways to the same values: the plan that ships and the graph as the model defines it, each with the whole
// prompt in one step and token by token.
struct Way {
  const char* name;
  bool passes, whole;
};
constexpr Way kWays[] = {{"all passes, prefill", true, true},
                         {"all passes, token by token", true, false},
                         {"no passes, prefill", false, true},
                         {"no passes, token by token", false, false}};

// `plans` keeps the plan: the device knows it as long as it lives.
Task<Result<VerifyReport>> run_way(LanguageModel& model, const ReferenceActivations& reference, const Way& way,
                                   const Options& o, std::vector<std::unique_ptr<Plan>>& plans) {
  const auto rows = static_cast<int64_t>(reference.ids.size());
  const int64_t chunk = way.whole ? rows : 1;
  std::vector<std::string> disabled;
  if (!way.passes) disabled = {"*"};
  Device& device = model.device();
  WEFT_CO_TRY(const Graph graph,
              run_passes(*model.model().graph("decode"), model.model(), {device.caps(), chunk}, disabled));
  WEFT_CO_TRY(Plan made, make_plan(model.model(), graph, device.caps(),
                                   {.bounds = {{"T", chunk}, {"R", chunk}, {"N", 1}, {"S", model.context()}}}));
  const Plan& plan = *plans.emplace_back(std::make_unique<Plan>(std::move(made)));
  const std::vector<std::pair<std::string, int64_t>> sizes{{"N", 1}, {"S", model.context()}};
  WEFT_CO_CHECK_OK(co_await device.create_states(model.model(), sizes));
  WEFT_CO_CHECK_OK(co_await device.prepare(plan));
  const VerifyOptions options{.values = way.passes ? VerifyValues::kept : VerifyValues::all,
                              .absolute = o.tolerance.absolute_or(1e-3f),
                              .relative = o.tolerance.relative_or(1e-3f)};
  co_return co_await verify_activations(reference, chunk, device_step(device, plan), options);
}

Outcome verify(Context& context, const Options& o) {
  if (o.model) context.common.model = *o.model;
  if (!o.reference) {
    if (context.common.device == "cpu") return usage_error("verify", "--reference is needed on the CPU");
    return verify_steps(context, o.tolerance);
  }
  WEFT_TRY(const auto file, context.wait(open_tensor_file(context.host, *o.reference)));
  WEFT_TRY(const ReferenceActivations reference, context.wait(ReferenceActivations::load(*file)));
  if (reference.ids.empty()) return fail(Code::bad_file, *o.reference, "input_ids", "at least one", "none");
  catch_interrupt();
  LoadOptions options = context.load_options();
  if (context.common.kv.empty()) options.kv = DType::f32;  // the reference keeps its cache in full
  if (options.context == 0) options.context = static_cast<int64_t>(reference.ids.size());
  std::vector<std::unique_ptr<Plan>> plans;
  WEFT_TRY(const auto model, context.load_model(options));
  VerifyReport all;
  std::string missed;
  for (const Way& way : kWays) {
    if (context.common.no_passes && way.passes) continue;
    auto report = context.wait(run_way(*model, reference, way, o, plans));
    if (!report) return fail(report.error());
    note(format("%-28s %4lld values, %s numbers: largest difference %.2e, relative %.2e  %s", way.name,
                static_cast<long long>(report->checked), human_count(static_cast<double>(report->elements)).c_str(),
                report->max_abs, report->max_rel,
                report->first_miss.empty() ? styled(stderr, Style::green, "agrees").c_str()
                                           : styled(stderr, Style::red, "MISS").c_str()));
    all.checked += report->checked;
    all.max_abs = std::fmax(all.max_abs, report->max_abs);
    all.max_rel = std::fmax(all.max_rel, report->max_rel);
    if (!report->first_miss.empty()) {
      all.first_miss = report->first_miss;
      missed = way.name;
      all.detail = report->detail;
      break;
    }
  }
  if (context.common.json) {
    WEFT_CHECK_OK(
        context.print_json({{"checked", all.checked},
                            {"first_miss", all.first_miss.empty() ? OrderedJson() : OrderedJson(all.first_miss)},
                            {"max_abs", all.max_abs},
                            {"max_rel", all.max_rel}}));
  }
  if (!all.first_miss.empty()) {
    return fail(Code::mismatch, context.common.model, missed + ", value '" + all.first_miss + "'", "", all.detail);
  }
  if (!context.common.json) {
    WEFT_CHECK_OK(context.print(
        format("%lld values agree on %s\n", static_cast<long long>(all.checked), model->caps().name.c_str())));
  }
  return kOk;
}

}  // namespace

Command verify_command() {
  auto o = std::make_shared<Options>();
  return {"verify",
          "Check every intermediate value of a model against a reference",
          "  weft verify model.gguf --reference activations.safetensors\n"
          "  weft verify -m tests/golden/llama --reference tests/golden/llama/activations.safetensors --json\n"
          "  weft verify -m model.gguf --device webgpu\n"
          "The plan that ships is checked first, then the model without passes; each as prefill and token by token.\n"
          "Without a reference: logits of a prompt and of 8 decode steps on the GPU, tuned as for bench, against the "
          "CPU's.\n",
          kModel | kRun | kThreads | kJson,
          [o](Args& args) {
            args.positional("model-file", o->model, "the model; the same as -m").file();
            args.option("--reference", o->reference, "safetensors file with input_ids and named activations").file();
            args.option("--atol", o->tolerance.absolute,
                        "largest absolute difference (1e-3; for the CPU's where not all is f32: 0.1)")
                .between(0, 1e9);
            args.option("--rtol", o->tolerance.relative,
                        "largest difference as share of the reference (1e-3; likewise 0.05)")
                .between(0, 1e9);
          },
          [o](Context& context) { return verify(context, *o); }};
}

}  // namespace weft::cli
