// Where the time of a decode step goes on a GPU: throughput of the token loop, GPU time by dispatch, and every kernel
// and variant of every op measured in place. For work on kernels; users have `weft bench`, `--profile` and `weft tune`.
//
//   build/release/bench/gpu/decode_lab MODEL.gguf [--tune] [--prefill T] [--length N] [--burst K] [--unchecked]
//       [--chrome] [--prefill-only]
//
// --chrome: what Chrome grants there, and every index checked as there.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "file/tensor_file.h"
#include "gpu/webgpu_device.h"
#include "models/registry.h"
#include "native_host.h"
#include "session/model_impl.h"

namespace weft {
namespace {

struct Arguments {
  std::string model;
  bool tune = false, unchecked = false, chrome = false, prefill_only = false;
  int64_t prefill = 512, length = 128, burst = 8, context = 4096;
};

struct Lab {
  NativeHost host;
  Arguments args;
  std::shared_ptr<Weights> weights;
  Model model;
  std::unique_ptr<FileWeightReader> reader;
  std::unique_ptr<WebgpuDevice> device;

  Result<Plan> plan(int64_t tokens, std::shared_ptr<const Tuning> tuning = nullptr) {
    Caps caps = device->caps();
    if (tuning) caps.tuning = std::move(tuning);
    WEFT_TRY(const Graph graph, run_passes(*model.graph("decode"), model, {caps, tokens}, {}));
    return make_plan(model, graph, caps, {.bounds = {{"T", tokens}, {"R", 1}, {"N", 1}, {"S", args.context}}});
  }

  // Runs the plan once at `length` cells, so that its step buffer is right.
  Task<Status> run(const Plan& plan, int64_t tokens) {
    WEFT_CO_CHECK_OK(co_await submit(plan, tokens));
    co_return co_await device->gpu().finish();
  }
  Task<Status> submit(const Plan& plan, int64_t tokens) {
    Bindings bindings{.symbols = {plan.bounds.begin(), plan.bounds.end()}};
    std::vector<std::vector<int32_t>> inputs;
    for (const Port& port : plan.graph.inputs) {
      auto& values = inputs.emplace_back(size_of(plan.graph.type(port.value), plan.bounds) / 4, 0);
      const int64_t first = tokens == 1 ? args.length - 1 : 0;
      if (port.name == "ids") {
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i * 37 % 1000 + 5);
      } else if (port.name == "positions" || port.name == "cells") {
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(first + static_cast<int64_t>(i));
      } else if (port.name == "rows") {
        values[0] = static_cast<int32_t>(tokens - 1);
      }
    }
    for (const auto& values : inputs) bindings.inputs.push_back(std::as_bytes(std::span(values)));
    co_return co_await device->submit(plan, bindings, nullptr, nullptr);
  }

  // A GPU that waited for a compiler has lowered its clocks.
  Task<Status> warm(const Plan& plan, int64_t tokens) {
    const double begin = host.now();
    while (host.now() - begin < 0.1) {
      for (int i = 0; i < (tokens == 1 ? 20 : 2); ++i) WEFT_CO_CHECK_OK(co_await submit(plan, tokens));
      WEFT_CO_CHECK_OK(co_await device->gpu().finish());
    }
    co_return Status{};
  }

  // Median GPU seconds of each step of the plan over `rounds`, and of the whole.
  Task<Result<std::vector<double>>> time(const Plan& plan, int rounds, double* whole) {
    std::vector<std::vector<double>> seconds(plan.steps.size());
    std::vector<double> all;
    for (int round = 0; round < rounds; ++round) {
      WEFT_CO_TRY(const auto timed, co_await device->time_plan(plan));
      std::vector<double> sum(plan.steps.size(), 0);
      for (const auto& t : timed) sum[static_cast<size_t>(t.step)] += t.seconds;
      for (size_t s = 0; s < sum.size(); ++s) seconds[s].push_back(sum[s]);
      all.push_back(timed.back().begin + timed.back().seconds);
    }
    std::vector<double> medians;
    for (auto& s : seconds) {
      std::nth_element(s.begin(), s.begin() + static_cast<int64_t>(s.size() / 2), s.end());
      medians.push_back(s[s.size() / 2]);
    }
    std::sort(all.begin(), all.end());
    if (whole) *whole = all[all.size() / 2];
    co_return medians;
  }

  Task<Status> tune(int64_t tokens, int rounds, Tuning& best) {
    WEFT_CO_TRY(const Plan first, plan(tokens));
    struct Entry {
      std::vector<Tuning::Choice> choices;
      std::vector<double> seconds;
      int count = 0;
    };
    std::map<std::string, Entry> entries;
    for (const Step& step : first.steps) {
      Entry& entry = entries[step_key(first, step)];
      if (entry.count++ == 0) entry.choices = step_choices(first, step);
    }
    size_t most = 0;
    for (const auto& [key, entry] : entries) most = std::max(most, entry.choices.size());
    for (size_t c = 0; c < most; ++c) {
      auto forced = std::make_shared<Tuning>();
      for (const auto& [key, entry] : entries)
        forced->choices[key] = entry.choices[std::min(c, entry.choices.size() - 1)];
      WEFT_CO_TRY(const Plan candidate, plan(tokens, forced));
      WEFT_CO_CHECK_OK(co_await device->prepare(candidate));
      WEFT_CO_CHECK_OK(co_await warm(candidate, tokens));
      WEFT_CO_TRY(const auto seconds, co_await time(candidate, rounds, nullptr));
      std::map<std::string, double> sum;
      for (size_t s = 0; s < candidate.steps.size(); ++s) sum[step_key(candidate, candidate.steps[s])] += seconds[s];
      for (auto& [key, entry] : entries) {
        if (c < entry.choices.size()) entry.seconds.push_back(sum[key] / entry.count);
      }
      co_await device->forget(candidate);
    }
    for (auto& [key, entry] : entries) {
      if (entry.choices.size() < 2) continue;
      size_t winner = 0;
      for (size_t c = 0; c < entry.seconds.size(); ++c) {
        if (entry.seconds[c] < entry.seconds[winner]) winner = c;
      }
      best.choices[key] = entry.choices[winner];
      std::printf("%s x%d\n  best %s/%d %.2f us of", key.c_str(), entry.count, entry.choices[winner].kernel.c_str(),
                  entry.choices[winner].variant, entry.seconds[winner] * 1e6);
      for (size_t c = 0; c < entry.seconds.size(); ++c) {
        std::printf(
            " %s%d:%.2f",
            c && entry.choices[c].kernel == entry.choices[c - 1].kernel ? "" : (entry.choices[c].kernel + " ").c_str(),
            entry.choices[c].variant, entry.seconds[c] * 1e6);
      }
      std::printf("\n");
    }
    std::fflush(stdout);
    co_return Status{};
  }

  Task<Status> profile(const Plan& plan, int64_t tokens) {
    WEFT_CO_CHECK_OK(co_await warm(plan, tokens));
    double whole = 0;
    WEFT_CO_TRY(const auto seconds, co_await time(plan, 5, &whole));
    std::map<std::string, std::pair<int, double>> by_kernel;
    double sum = 0;
    int dispatches = 0;
    for (size_t s = 0; s < plan.steps.size(); ++s) {
      const Step& step = plan.steps[s];
      std::string name(step.kernel->name);
      for (const Operand& o : step.in) {
        if (o.place.space == Place::Space::weight && plan.graph.type(o.value).shape.rank == 2)
          name += " " + to_string(plan.graph, plan.graph.type(o.value).shape);
      }
      auto& entry = by_kernel[name];
      entry.first++;
      entry.second += seconds[s];
      sum += seconds[s];
      dispatches += static_cast<int>(step.gpu.dispatches.size());
    }
    std::printf("T = %lld: %zu steps, at most %d dispatches, %.1f us of dispatches, %.1f us first to last\n",
                static_cast<long long>(tokens), plan.steps.size(), dispatches, sum * 1e6, whole * 1e6);
    for (const auto& [name, entry] : by_kernel) {
      std::printf("  %8.2f us = %3d x %7.2f  %s\n", entry.second * 1e6, entry.first, entry.second / entry.first * 1e6,
                  name.c_str());
    }
    std::fflush(stdout);
    co_return Status{};
  }

  Task<Status> loop(const Plan& plan, const Plan& prefill, int64_t burst) {
    TokenLoop* loop = device->loop(plan);
    if (!loop) co_return fail(Code::internal, "lab", "token loop", "one", "none");
    WEFT_CO_CHECK_OK(co_await warm(prefill, prefill.bounds[static_cast<size_t>(prefill.graph.symbol("T"))]));
    WEFT_CO_CHECK_OK(loop->start({}, 0, 1));
    WEFT_CO_CHECK_OK(loop->sample(prefill));
    std::vector<LoopToken> tokens(static_cast<size_t>(burst));
    WEFT_CO_CHECK_OK(co_await loop->read({tokens.data(), 1}));
    const int64_t bursts = std::max<int64_t>(1, 256 / burst);
    const double begin = host.now();
    double encode = 0;
    auto advance = [&]() -> Status {
      const double at = host.now();
      WEFT_CHECK_OK(loop->advance(burst));
      WEFT_CHECK_OK(loop->begin_read(burst));
      encode += host.now() - at;
      return {};
    };
    WEFT_CO_CHECK_OK(advance());
    for (int64_t b = 0; b < bursts; ++b) {
      if (b + 1 < bursts) WEFT_CO_CHECK_OK(advance());
      WEFT_CO_CHECK_OK(co_await loop->read(tokens));
    }
    const double seconds = host.now() - begin;
    const double steps = static_cast<double>(bursts * burst);
    std::printf("loop, burst %3lld: %8.1f tokens/s, %.1f us a token, host %.1f us\n", static_cast<long long>(burst),
                steps / seconds, seconds / steps * 1e6, encode / steps * 1e6);
    std::fflush(stdout);
    co_return Status{};
  }

  Task<Status> all() {
    WEFT_CO_TRY(auto file, co_await open_tensor_file(host, args.model));
    WEFT_CO_TRY(weights, Weights::create(file));
    WEFT_CO_TRY(model, co_await build_model(*weights, {.kv = DType::f16}));
    WEFT_CO_TRY(reader, FileWeightReader::create(weights, model));
    WEFT_CO_TRY(auto gpu, co_await open_gpu(host, {.profile = args.chrome ? GpuProfile::chrome : GpuProfile::full,
                                                   .robust = args.chrome,
                                                   .skip_validation = args.unchecked}));
    WEFT_CO_TRY(device, co_await make_webgpu_device(host, std::move(gpu)));
    WEFT_CO_TRY(Plan one, plan(1));
    WEFT_CO_TRY(Plan many, plan(args.prefill));
    const Plan* const plans[] = {&one, &many};
    const double begin = host.now();
    WEFT_CO_CHECK_OK(co_await device->load(model, plans, *reader, {}, nullptr));
    const std::vector<std::pair<std::string, int64_t>> sizes{{"N", 1}, {"S", args.context}};
    WEFT_CO_CHECK_OK(co_await device->create_states(model, sizes));
    const double loaded = host.now();
    WEFT_CO_CHECK_OK(co_await device->prepare(one));
    WEFT_CO_CHECK_OK(co_await device->prepare(many));
    std::printf("%s on %s: loaded in %.2f s, prepared in %.2f s, %.1f MB\n", args.model.c_str(),
                device->caps().name.c_str(), loaded - begin, host.now() - loaded,
                static_cast<double>(device->gpu().bytes_in_use()) * 1e-6);
    for (int round = 0; round < 2 && !args.prefill_only; ++round) {
      for (int64_t burst : {int64_t{1}, args.burst, 4 * args.burst}) WEFT_CO_CHECK_OK(co_await loop(one, many, burst));
    }
    if (!args.prefill_only) WEFT_CO_CHECK_OK(co_await profile(one, 1));
    WEFT_CO_CHECK_OK(co_await profile(many, args.prefill));
    if (!args.tune) co_return Status{};
    auto best = std::make_shared<Tuning>();
    if (!args.prefill_only) WEFT_CO_CHECK_OK(co_await tune(1, 9, *best));
    WEFT_CO_CHECK_OK(co_await tune(args.prefill, 3, *best));
    WEFT_CO_TRY(Plan one_tuned, plan(1, best));
    WEFT_CO_TRY(Plan many_tuned, plan(args.prefill, best));
    WEFT_CO_CHECK_OK(co_await device->prepare(one_tuned));
    WEFT_CO_CHECK_OK(co_await device->prepare(many_tuned));
    std::printf("tuned:\n");
    for (int64_t burst : {args.burst, 4 * args.burst, args.burst, 4 * args.burst})
      WEFT_CO_CHECK_OK(co_await loop(one_tuned, many_tuned, burst));
    WEFT_CO_CHECK_OK(co_await profile(one_tuned, 1));
    WEFT_CO_CHECK_OK(co_await profile(many_tuned, args.prefill));
    co_await device->forget(one_tuned);
    co_await device->forget(many_tuned);
    co_return Status{};
  }
};

}  // namespace
}  // namespace weft

int main(int argc, char** argv) {
  weft::Lab lab;
  for (int i = 1; i < argc; ++i) {
    auto number = [&](const char* name, int64_t& target) {
      if (std::strcmp(argv[i], name) != 0 || i + 1 >= argc) return false;
      target = std::atoll(argv[++i]);
      return true;
    };
    if (std::strcmp(argv[i], "--unchecked") == 0) {
      lab.args.unchecked = true;
    } else if (std::strcmp(argv[i], "--chrome") == 0) {
      lab.args.chrome = true;
    } else if (std::strcmp(argv[i], "--prefill-only") == 0) {
      lab.args.prefill_only = true;
    } else if (std::strcmp(argv[i], "--tune") == 0) {
      lab.args.tune = true;
    } else if (!number("--prefill", lab.args.prefill) && !number("--length", lab.args.length) &&
               !number("--burst", lab.args.burst) && !number("--context", lab.args.context)) {
      lab.args.model = argv[i];
    }
  }
  const weft::Status done = weft::run_to_end(lab.all(), [&] { lab.host.poll(); });
  if (!done) std::fprintf(stderr, "decode_lab: %s\n", done.error().message().c_str());
  lab.device.reset();
  return done ? 0 : 1;
}
