#include "bench_gpu.h"

#include <algorithm>

#include "devices.h"
#include "gpu/webgpu_device.h"
#include "plan/step_input.h"
#include "session/session.h"

namespace weft::cli {
namespace {

constexpr int kRounds = 5;
constexpr int64_t kHostSteps = 64;

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// Seconds of the host for one of many decode steps that it hands over without waiting.
Result<double> host_seconds(Context& context, LanguageModel& model, int64_t cell) {
  auto& device = static_cast<WebgpuDevice&>(model.device());
  const Plan& plan = model.decode_plan();
  const int64_t steps = std::min(kHostSteps, (model.context() - 1) / 2);
  cell = std::clamp<int64_t>(cell, 0, model.context() - steps - 1);
  TokenLoop* loop = device.loop(plan);
  if (!loop || steps < 1) return 0.0;
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int32_t id = 1;
    const StepInput input(plan, {.ids = {&id, 1}, .first = cell});
    WEFT_CHECK_OK(context.wait(device.submit(plan, input.bindings(), nullptr, nullptr)));
    WEFT_CHECK_OK(loop->start({}, 0, cell + 1));
    WEFT_CHECK_OK(loop->sample(plan));
    WEFT_CHECK_OK(context.wait(device.gpu().finish()));
    const double begin = seconds_now();
    WEFT_CHECK_OK(loop->advance(steps));
    const double each = (seconds_now() - begin) / static_cast<double>(steps);
    best = round == 0 ? each : std::min(best, each);
    WEFT_CHECK_OK(context.wait(device.gpu().finish()));
  }
  return best;
}

Result<double> first_token_seconds(Context& context, LanguageModel& model, Session& session) {
  std::vector<double> seconds;
  for (int round = 0; round <= kRounds; ++round) {
    WEFT_CHECK_OK(context.wait(session.reset()));
    GenerateRequest request{.max_tokens = 2, .ignore_end = true, .cancel = &interrupt_flag()};
    request.sampling.temperature = 0;
    const int64_t tokens = std::min(kShortPrompt, model.context() - 2);
    for (int64_t i = 0; i < tokens; ++i)
      request.prompt.push_back(
          static_cast<int32_t>((31 * i + round) % std::min<int64_t>(model.model().vocab_size, 1000)));
    WEFT_TRY(const Generated done, context.wait(session.generate(request, nullptr)));
    if (round > 0) seconds.push_back(done.stats.ttft_ms / 1e3);
  }
  return median(std::move(seconds));
}

}  // namespace

Result<GpuFigures> gpu_figures(Context& context, LanguageModel& model, Session& session, double step, int64_t length) {
  auto& device = static_cast<WebgpuDevice&>(model.device());
  const Plan& plan = model.decode_plan();
  const Plan* const plans[] = {&plan, &model.prefill_plan()};
  const MemoryUse need = memory_needed(model.model(), plans);
  GpuFigures f{.traffic = plan_traffic(plan, {.length = length}),
               .dispatches = plan_dispatches(plan, length),
               .step = step,
               .bytes_in_use = device.gpu().bytes_in_use(),
               .bytes_predicted = need.weights + need.states + need.activations};
  if (const auto tuning = device.caps().tuning) f.tuned = tuning->choices.size();
  WEFT_TRY(f.host, host_seconds(context, model, length - 1));
  WEFT_TRY(f.ttft, first_token_seconds(context, model, session));
  WEFT_TRY(f.limits, measures_of(context, device.gpu()));
  return f;
}

std::string to_text(const GpuFigures& f) {
  const auto us = [](double seconds) { return format("%.1f us", seconds * 1e6); };
  const double bandwidth = f.traffic.total() / f.limits.read_bandwidth, dispatches = f.dispatches * f.limits.dispatch;
  std::string text =
      format("a token: %s; %s of weights, %s of cache, %s of activations in %d dispatches and sampling\n",
             us(f.step).c_str(), human_bytes(f.traffic.weights).c_str(), human_bytes(f.traffic.states).c_str(),
             human_bytes(f.traffic.activations).c_str(), f.dispatches);
  text +=
      format("limits: its bytes take %s (%.0f %% of the token) at this GPU's %.0f GB/s, its dispatches %s (%.0f %%)\n",
             us(bandwidth).c_str(), 100 * bandwidth / f.step, f.limits.read_bandwidth / 1e9, us(dispatches).c_str(),
             100 * dispatches / f.step);
  text += format("the host: %s a token; the first token of a prompt of %lld comes after %.2f ms\n", us(f.host).c_str(),
                 static_cast<long long>(kShortPrompt), f.ttft * 1e3);
  text += format("GPU memory: %s, predicted %s; kernels tuned: %zu; the 152-dispatch probe: %.0f steps/s\n",
                 human_bytes(static_cast<double>(f.bytes_in_use)).c_str(),
                 human_bytes(static_cast<double>(f.bytes_predicted)).c_str(), f.tuned, f.limits.probe_steps);
  return text;
}

OrderedJson to_json(const GpuFigures& f) {
  const double bytes = f.traffic.total();
  return {
      {"step_us", f.step * 1e6},
      {"dispatches", f.dispatches},
      {"bytes", {{"weights", f.traffic.weights}, {"states", f.traffic.states}, {"activations", f.traffic.activations}}},
      {"gb_per_s", bytes / f.step / 1e9},
      {"bandwidth_share", bytes / f.step / f.limits.read_bandwidth},
      {"dispatch_share", f.dispatches * f.limits.dispatch / f.step},
      {"host_us", f.host * 1e6},
      {"ttft_prompt", kShortPrompt},
      {"ttft_ms", f.ttft * 1e3},
      {"bytes_in_use", f.bytes_in_use},
      {"bytes_predicted", f.bytes_predicted},
      {"tuned", f.tuned},
      {"measures", measures_json(f.limits)}};
}

Result<Stages> measure_stages(Context& context, LanguageModel& model, double pipelined, int64_t steps, int64_t depth) {
  auto& device = static_cast<WebgpuDevice&>(model.device());
  const Plan& plan = model.decode_plan();
  int output = 0;
  for (size_t p = 0; p < plan.graph.outputs.size(); ++p) {
    if (plan.graph.outputs[p].name == "logits") output = static_cast<int>(p);
  }
  std::vector<float> logits(static_cast<size_t>(model.model().vocab_size));
  steps = std::min(steps, model.context() - depth);
  const auto run = [&](bool anew) -> Result<double> {
    int32_t id = 1;
    double begin = seconds_now();
    for (int64_t i = -1; i < steps; ++i) {
      if (i == 0) begin = seconds_now();  // the first warms up
      if (interrupt_flag().cancelled()) return fail(Code::cancelled, "bench", "stopped by Ctrl-C");
      if (anew) WEFT_CHECK_OK(context.wait(device.renew(plan)));
      const StepInput input(plan, {.ids = {&id, 1}, .first = depth + std::max<int64_t>(i, 0)});
      WEFT_CHECK_OK(context.wait(device.submit(plan, input.bindings(), nullptr, nullptr)));
      WEFT_CHECK_OK(context.wait(device.read(plan, output, std::as_writable_bytes(std::span(logits)))));
      id = static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
    }
    return static_cast<double>(steps) / (seconds_now() - begin);
  };
  Stages stages{.pipelined = pipelined};
  WEFT_TRY(stages.reused, run(false));
  WEFT_TRY(stages.remade, run(true));
  WEFT_CHECK_OK(context.wait(device.prepare(plan)));
  return stages;
}

}  // namespace weft::cli
