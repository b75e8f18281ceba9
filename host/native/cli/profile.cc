#include "profile.h"

#include <algorithm>
#include <map>

#include "gpu/webgpu_device.h"
#include "native_host.h"
#include "plan/step_input.h"
#include "plan/traffic.h"
#include "session/session.h"

namespace weft::cli {
namespace {

constexpr int kRounds = 9;

struct Profiled {
  std::string name;  // of the plan
  const Plan* plan = nullptr;
  StepSizes sizes;
  std::vector<WebgpuDevice::TimedDispatch> dispatches;  // each at its median
  double whole = 0;                                     // seconds from the first begin to the last end, the median
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Result<Profiled> time_one(Context& context, LanguageModel& model, const Plan& plan, int64_t tokens, int64_t first) {
  auto& device = static_cast<WebgpuDevice&>(model.device());
  Profiled p{.name = tokens == 1 ? "decode" : "prefill of " + std::to_string(tokens),
             .plan = &plan,
             .sizes = {.tokens = tokens, .rows = 1, .length = first + tokens}};
  const std::vector<int32_t> ids(static_cast<size_t>(tokens), 1);
  const StepInput input(plan, {.ids = ids, .first = first});
  std::vector<std::vector<double>> seconds;
  std::vector<double> whole;
  for (int round = 0; round <= kRounds; ++round) {
    WEFT_CHECK_OK(context.wait(device.submit(plan, input.bindings(), nullptr, nullptr)));
    WEFT_TRY(p.dispatches, context.wait(device.time_plan(plan)));
    if (round == 0) continue;  // warms up
    seconds.resize(p.dispatches.size());
    for (size_t d = 0; d < p.dispatches.size(); ++d) seconds[d].push_back(p.dispatches[d].seconds);
    if (!p.dispatches.empty()) whole.push_back(p.dispatches.back().begin + p.dispatches.back().seconds);
  }
  for (size_t d = 0; d < p.dispatches.size(); ++d) p.dispatches[d].seconds = median(seconds[d]);
  if (!whole.empty()) p.whole = median(whole);
  return p;
}

std::string table(const Profiled& p) {
  struct Row {
    int calls = 0;
    double seconds = 0, weights = 0;
  };
  std::map<std::string, Row> rows;
  double sum = 0;
  int last = -1;
  for (const auto& d : p.dispatches) {
    const Step& step = p.plan->steps[static_cast<size_t>(d.step)];
    Row& row = rows[std::string(step.kernel->name)];
    row.seconds += d.seconds;
    sum += d.seconds;
    if (d.step == last) continue;  // a step may have several dispatches
    last = d.step;
    ++row.calls;
    row.weights += step_traffic(*p.plan, step, p.sizes).weights;
  }
  std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
  std::ranges::stable_sort(sorted, std::greater<>(), [](const auto& row) { return row.second.seconds; });
  std::string text =
      styled(stdout, Style::bold,
             format("%s, %lld cells: %zu dispatches, %.1f us in kernels, %.1f us from begin to end\n", p.name.c_str(),
                    static_cast<long long>(p.sizes.length), p.dispatches.size(), sum * 1e6, p.whole * 1e6));
  text += format("%-36s %6s %10s %7s %8s %12s\n", "kernel", "calls", "us", "share", "us/call", "weights GB/s");
  for (const auto& [kernel, row] : sorted) {
    text += format("%-36s %6d %10.1f %6.1f%% %8.2f", kernel.c_str(), row.calls, row.seconds * 1e6,
                   sum > 0 ? 100 * row.seconds / sum : 0, row.seconds * 1e6 / row.calls);
    text += row.weights > 0 && row.seconds > 0 ? format(" %12.1f\n", row.weights / row.seconds / 1e9) : "\n";
  }
  return text;
}

void add_events(OrderedJson& events, const Profiled& p, int row) {
  events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", p.name}}}});
  for (const auto& d : p.dispatches) {
    const Step& step = p.plan->steps[static_cast<size_t>(d.step)];
    std::string tap;
    for (const Operand& o : step.out) {
      if (tap.empty() && o.value != kNoValue) tap = p.plan->graph.values[o.value].name;
    }
    events.push_back({{"name", step.kernel->name},
                      {"cat", d.shader},
                      {"ph", "X"},
                      {"ts", d.begin * 1e6},
                      {"dur", d.seconds * 1e6},
                      {"pid", 1},
                      {"tid", row},
                      {"args", {{"step", d.step}, {"shader", d.shader}, {"value", tap}}}});
  }
}

}  // namespace

void declare_profile(Args& args, std::optional<std::string>& path) {
  args.option("--profile", path, "time every kernel on the GPU, print a table and write a trace for chrome://tracing")
      .file();
}

Status can_profile(LanguageModel& model) {
  const Caps& caps = model.caps();
  if (caps.kind == Caps::Kind::webgpu && caps.gpu.timestamps) return {};
  return fail(
      Code::unsupported, "--profile", "GPU times", "a GPU with timestamps", caps.name,
      caps.kind == Caps::Kind::cpu ? "add --device webgpu" : "the feature is missing or switched off by --caps");
}

Result<std::string> profile(Context& context, LanguageModel& model, const std::string& path, int64_t depth) {
  WEFT_CHECK_OK(can_profile(model));
  const Plan& many = model.prefill_plan();
  const int64_t chunk = many.bounds[many.graph.symbol("T")];
  WEFT_TRY(const Profiled prefill,
           time_one(context, model, many, chunk, std::clamp<int64_t>(depth, 0, model.context() - chunk)));
  WEFT_TRY(const Profiled decode,
           time_one(context, model, model.decode_plan(), 1, std::clamp<int64_t>(depth, 0, model.context() - 1)));
  OrderedJson events = OrderedJson::array();
  events.push_back({{"name", "process_name"},
                    {"ph", "M"},
                    {"pid", 1},
                    {"args", {{"name", context.common.model + " on " + model.caps().name}}}});
  add_events(events, decode, 1);
  add_events(events, prefill, 2);
  const std::string text = dump_json(OrderedJson{{"traceEvents", events}, {"displayTimeUnit", "ns"}}) + "\n";
  WEFT_TRY(const auto file, create_file(path));
  WEFT_CHECK_OK(file->write(std::as_bytes(std::span(text))));
  WEFT_CHECK_OK(file->commit());
  return table(decode) + "\n" + table(prefill);
}

}  // namespace weft::cli
