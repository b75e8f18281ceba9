#include "gpu/tuner.h"

#include <algorithm>
#include <map>

#include "plan/step_input.h"

namespace weft {
namespace {

constexpr double kChain = 0.001, kSlow = 0.1;  // seconds of one measurement: at least, and from where on one will do
constexpr double kWarm = 0.12;
constexpr int kRounds = 3, kMaxRepeats = 2000;
constexpr int64_t kFewCells = 127;

int64_t bound_of(const Plan& plan, const char* symbol) {
  const SymbolId s = plan.graph.symbol(symbol);
  return s == kNoSymbol ? 1 : plan.bounds[s];
}

class Tuner {
 public:
  Tuner(Host& host, WebgpuDevice& device, const Model& model, const TuneOptions& options)
      : host_(host), device_(device), model_(model), options_(options) {}

  // Adds what each candidate of the plan's kinds of steps takes, if `calls` has not got it already. Whether there was
  // time for all.
  Task<Result<bool>> measure(const Plan& plan, double seconds, std::vector<TunedCall>& calls) {
    const double end = host_.now() + seconds;
    const size_t before = calls.size();
    std::map<std::string, size_t> known;
    for (size_t c = 0; c < before; ++c) known[calls[c].key] = c;
    for (const Step& step : plan.steps) {
      const std::string key = step_key(plan, step);
      const auto [it, added] = known.try_emplace(key, calls.size());
      if (it->second < before) continue;
      if (added) {
        TunedCall& call = calls.emplace_back(TunedCall{.key = key});
        for (Tuning::Choice& choice : step_choices(plan, step)) call.tried.push_back({std::move(choice)});
      }
      ++calls[it->second].steps;
    }
    size_t most = 0;
    for (size_t c = before; c < calls.size(); ++c) most = std::max(most, calls[c].tried.size());
    size_t i = 0;
    for (; i < most && host_.now() < end; ++i) {
      if (options_.progress) options_.progress(static_cast<int64_t>(i), static_cast<int64_t>(most));
      if (options_.cancel && options_.cancel->cancelled()) co_return fail(Code::cancelled, "tune", "measuring kernels");
      std::vector<TunedCall*> have;
      for (size_t c = before; c < calls.size(); ++c) {
        // A kind with one candidate has nothing to choose.
        if (i < calls[c].tried.size() && calls[c].tried.size() > 1) have.push_back(&calls[c]);
      }
      WEFT_CO_CHECK_OK(co_await attempt(plan, have, i));
      co_await host_.yield();
    }
    for (size_t c = before; c < calls.size(); ++c) choose(calls[c]);
    co_return i == most;
  }

  // Seconds of a whole step of `plan`, with and without these choices.
  Task<Result<double>> whole(const Plan& plan, std::shared_ptr<const Tuning> tuning) {
    WEFT_CO_TRY(const Plan made, with(plan, std::move(tuning)));
    std::vector<int> steps;
    for (size_t s = 0; s < made.steps.size(); ++s) steps.push_back(static_cast<int>(s));
    const std::vector<int> all[] = {std::move(steps)};
    auto seconds = co_await measure_steps(made, all);
    co_await device_.forget(made);
    if (!seconds) co_return std::unexpected(std::move(seconds).error());
    co_return (*seconds)[0];
  }

 private:
  Result<Plan> with(const Plan& plan, std::shared_ptr<const Tuning> tuning) const {
    Caps caps = plan.caps;
    caps.tuning = std::move(tuning);
    PlanOptions options;
    for (size_t s = 0; s < plan.graph.symbols.size(); ++s)
      options.bounds.emplace_back(plan.graph.symbols[s], plan.bounds[s]);
    return make_plan(model_, plan.graph, caps, options);
  }

  // Where a step begins: a decode step, whose attention reads all before it, with few and with many cells in use.
  std::vector<int64_t> first_cells(const Plan& plan) const {
    const int64_t tokens = bound_of(plan, "T"), last = bound_of(plan, "S") - tokens;
    if (tokens > 1) return {0};
    return {std::clamp<int64_t>(kFewCells, 0, last), std::clamp<int64_t>(options_.context - 1, 0, last)};
  }

  // Seconds of each of these lists of steps, the mean over first_cells. The plan is prepared here.
  Task<Result<std::vector<double>>> measure_steps(const Plan& plan, std::span<const std::vector<int>> lists) {
    WEFT_CO_CHECK_OK(co_await device_.prepare(plan));
    const std::vector<int32_t> ids(static_cast<size_t>(bound_of(plan, "T")), 1);
    const std::vector<int64_t> firsts = first_cells(plan);
    std::vector<double> sums(lists.size(), 0);
    for (int64_t first : firsts) {
      const StepInput input(plan, {.ids = ids, .first = first});
      // A GPU that waited for compilers has lowered its clocks, to a third on an H200: work until they are up again.
      const double warm = host_.now() + kWarm;
      do {
        WEFT_CO_CHECK_OK(co_await device_.submit(plan, input.bindings(), nullptr, nullptr));
        WEFT_CO_CHECK_OK(co_await device_.gpu().finish());
      } while (host_.now() < warm && !device_.caps().gpu.software);
      for (size_t i = 0; i < lists.size(); ++i) {
        if (lists[i].empty()) continue;
        WEFT_CO_TRY(const double seconds, co_await chain(plan, lists[i]));
        sums[i] += seconds / static_cast<double>(firsts.size());
      }
    }
    co_return sums;
  }

  // Seconds of these steps once, from chains long enough to measure; the best of a few.
  Task<Result<double>> chain(const Plan& plan, std::span<const int> steps) {
    int repeats = 1;
    double best = 0;
    for (int round = 0; round < kRounds;) {
      WEFT_CO_TRY(const double seconds, co_await device_.time_steps(plan, steps, repeats));
      if (seconds < kChain && repeats < kMaxRepeats) {
        const double wanted = 1.3 * kChain / std::max(seconds, 1e-9) * repeats;
        repeats =
            static_cast<int>(std::clamp<double>(wanted, 2.0 * repeats, std::min(10.0 * repeats, double{kMaxRepeats})));
        continue;
      }
      const double once = seconds / repeats;
      best = round++ == 0 ? once : std::min(best, once);
      if (seconds > kSlow) break;
    }
    co_return best;
  }

  // Candidate `index` of all these kinds in one plan. If that cannot run, half of them at a time finds the culprit.
  Task<Status> attempt(const Plan& plan, std::vector<TunedCall*> calls, size_t index) {
    if (calls.empty()) co_return Status{};
    auto forced = std::make_shared<Tuning>();
    for (TunedCall* call : calls) forced->choices[call->key] = call->tried[index].choice;
    Status ran;
    std::vector<double> seconds;
    std::vector<std::vector<int>> steps(calls.size());
    if (auto made = with(plan, forced)) {
      for (size_t s = 0; s < made->steps.size(); ++s) {
        const std::string key = step_key(*made, made->steps[s]);
        for (size_t c = 0; c < calls.size(); ++c) {
          if (calls[c]->key == key) steps[c].push_back(static_cast<int>(s));
        }
      }
      auto measured = co_await measure_steps(*made, steps);
      co_await device_.forget(*made);
      if (measured)
        seconds = *std::move(measured);
      else
        ran = std::unexpected(std::move(measured).error());
    } else {
      ran = std::unexpected(std::move(made).error());
    }
    if (!ran) {
      if (ran.error().code == Code::device_lost) co_return ran;
      if (calls.size() == 1) {
        calls[0]->tried[index].error = ran.error().message();
        co_return Status{};
      }
      const auto middle = calls.begin() + static_cast<std::ptrdiff_t>(calls.size() / 2);
      WEFT_CO_CHECK_OK(co_await attempt(plan, {calls.begin(), middle}, index));
      co_return co_await attempt(plan, {middle, calls.end()}, index);
    }
    for (size_t c = 0; c < calls.size(); ++c) {
      if (!steps[c].empty()) calls[c]->tried[index].seconds = seconds[c] / static_cast<double>(steps[c].size());
    }
    co_return Status{};
  }

  void choose(TunedCall& call) const {
    double best = call.tried[0].seconds * (1 - options_.worth);
    for (size_t i = 1; i < call.tried.size(); ++i) {
      const double seconds = call.tried[i].seconds;
      if (seconds <= 0 || (best > 0 && seconds >= best)) continue;
      best = seconds;
      call.best = i;
    }
  }

  Host& host_;
  WebgpuDevice& device_;
  const Model& model_;
  const TuneOptions& options_;
};

}  // namespace

Task<Result<TuneReport>> tune(Host& host, WebgpuDevice& device, const Model& model, std::span<const Plan* const> plans,
                              const TuneOptions& options) {
  TuneReport report;
  Tuner tuner(host, device, model, options);
  report.complete = true;
  const double end = host.now() + options.seconds;
  for (size_t p = 0; p < plans.size(); ++p) {
    const double share = std::max(0.0, end - host.now()) / static_cast<double>(plans.size() - p);
    WEFT_CO_TRY(const bool all, co_await tuner.measure(*plans[p], share, report.calls));
    report.complete = report.complete && all;
  }
  for (const TunedCall& call : report.calls) {
    if (call.tried[call.best].seconds > 0) report.tuning.choices[call.key] = call.tried[call.best].choice;
  }
  const auto tuning = std::make_shared<const Tuning>(report.tuning);
  for (const Plan* plan : plans) {
    TuneReport::PlanTime time{.tokens = bound_of(*plan, "T")};
    WEFT_CO_TRY(time.before, co_await tuner.whole(*plan, nullptr));
    WEFT_CO_TRY(time.after, co_await tuner.whole(*plan, tuning));
    // What is better alone and worse together is not kept.
    if (time.after >= time.before) {
      for (const Step& step : plan->steps) report.tuning.choices.erase(step_key(*plan, step));
      time.kept = false;
    }
    report.plans.push_back(time);
  }
  co_return report;
}

}  // namespace weft
