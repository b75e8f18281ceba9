#include "gpu/webgpu_device.h"

#include <algorithm>
#include <map>

#include "gpu/gpu_plan.h"
#include "gpu/gpu_states.h"
#include "gpu/gpu_taps.h"
#include "gpu/self_test.h"
#include "gpu/token_loop.h"

namespace weft {
namespace {

class Implementation : public WebgpuDevice {
 public:
  Implementation(Host& host, std::unique_ptr<Gpu> gpu, Caps caps)
      : host_(host), gpu_(std::move(gpu)), caps_(std::move(caps)) {}
  ~Implementation() override {
    loops_.clear();
    plans_.clear();
    states_.destroy(*gpu_);
    weights_.destroy(*gpu_);
  }

  const Caps& caps() const override { return caps_; }
  Gpu& gpu() override { return *gpu_; }
  void set_tuning(std::shared_ptr<const Tuning> tuning) override { caps_.tuning = std::move(tuning); }

  MemoryUse memory() const override {
    MemoryUse use{weights_.bytes(), states_.bytes(), 0};
    for (const auto& plan : plans_) use.activations += plan->bytes();
    return use;
  }

  Task<Status> load(const Model& model, std::span<const Plan* const> plans, WeightReader& reader,
                    const Progress& progress, const CancelFlag* cancel) override {
    return weights_.load(model, plans, caps_, *gpu_, reader, host_, progress, cancel);
  }

  Task<Status> create_states(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols) override {
    std::vector<const Plan*> again;  // their bind groups name the old states
    for (const auto& plan : plans_) again.push_back(&plan->plan());
    loops_.clear();
    plans_.clear();
    WEFT_CO_CHECK_OK(co_await states_.create(model, symbols, *gpu_));
    for (const Plan* plan : again) WEFT_CO_CHECK_OK(co_await prepare(*plan));
    co_return Status{};
  }

  Task<Status> prepare(const Plan& plan) override {
    loops_.erase(&plan);
    std::erase_if(plans_, [&](const auto& known) { return &known->plan() == &plan; });
    WEFT_CO_TRY(auto made, co_await GpuPlan::create(plan, *gpu_, {weights_, states_.ranges()}, pipelines_));
    plans_.push_back(std::move(made));
    if (can_loop(plan)) {
      auto found = [this](const Plan& other) { return find(other); };
      WEFT_CO_TRY(loops_[&plan], co_await make_gpu_token_loop(*gpu_, pipelines_, *plans_.back(), found));
    }
    co_return Status{};
  }

  Task<Status> submit(const Plan& plan, const Bindings& bindings, const CancelFlag* cancel,
                      const TapSink* taps) override {
    GpuPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    if (cancel && cancel->cancelled()) co_return fail(Code::cancelled, "webgpu", "running a step of the model");
    WEFT_CO_CHECK_OK(prepared->bind(bindings));
    if (taps) co_return co_await submit_with_taps(*prepared, *gpu_, *taps);
    commands_.clear();
    prepared->encode(commands_, prepared->length());
    co_return gpu_->submit(commands_);
  }

  Task<Status> read(const Plan& plan, int output, std::span<std::byte> out) override {
    GpuPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    if (output < 0 || output >= static_cast<int>(plan.graph.outputs.size())) {
      co_return fail(Code::invalid_argument, "webgpu", "output port",
                     "below " + std::to_string(plan.graph.outputs.size()), std::to_string(output));
    }
    const Port& port = plan.graph.outputs[output];
    const int64_t bytes = size_of(plan.graph.type(port.value), prepared->symbols());
    if (bytes != static_cast<int64_t>(out.size())) {
      co_return fail(Code::invalid_argument, "webgpu", "output '" + port.name + "'", std::to_string(bytes) + " bytes",
                     std::to_string(out.size()));
    }
    if (bytes == 0) co_return Status{};
    co_return co_await gpu_->read(prepared->output(output).buffer, 0, out);
  }

  Task<Result<std::vector<TimedDispatch>>> time_plan(const Plan& plan) override {
    GpuPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    commands_.clear();
    const uint32_t count = prepared->encode_timed(commands_, prepared->length());
    WEFT_CO_CHECK_OK(gpu_->submit(commands_));
    WEFT_CO_TRY(auto times, co_await gpu_->read_timestamps(count));
    std::vector<TimedDispatch> timed;
    for (size_t s = 0; s < plan.steps.size() && timed.size() < times.size(); ++s) {
      for (size_t d = 0; d < plan.steps[s].gpu.dispatches.size() && timed.size() < times.size(); ++d) {
        if (!prepared->runs(s, d)) continue;
        const auto& [begin, end] = times[timed.size()];
        timed.push_back({static_cast<int>(s), plan.steps[s].gpu.dispatches[d].shader,
                         static_cast<double>(begin - times[0].first) * 1e-9, static_cast<double>(end - begin) * 1e-9});
      }
    }
    co_return timed;
  }

  Task<Result<double>> time_steps(const Plan& plan, std::span<const int> steps, int repeats) override {
    GpuPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    const bool timed = gpu_->info().timestamps;
    commands_.clear();
    if (timed) commands_.timed_pass(0);
    for (int i = 0; i < repeats; ++i) {
      for (int step : steps) prepared->encode(commands_, static_cast<size_t>(step), prepared->length());
    }
    if (!timed) WEFT_CO_CHECK_OK(co_await gpu_->finish());
    const double begin = host_.now();
    WEFT_CO_CHECK_OK(gpu_->submit(commands_));
    if (timed) {
      WEFT_CO_TRY(const auto times, co_await gpu_->read_timestamps(1));
      co_return static_cast<double>(times[0].second - times[0].first) * 1e-9;
    }
    WEFT_CO_CHECK_OK(co_await gpu_->finish());
    co_return host_.now() - begin;
  }

  Task<Status> renew(const Plan& plan) override {
    GpuPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    loops_.erase(&plan);
    co_return co_await prepared->renew();
  }

  Task<void> forget(const Plan& plan) override {
    (void)co_await gpu_->finish();
    loops_.erase(&plan);
    std::erase_if(plans_, [&](const auto& known) { return &known->plan() == &plan; });
  }

  TokenLoop* loop(const Plan& plan) override {
    const auto found = loops_.find(&plan);
    return found == loops_.end() ? nullptr : found->second.get();
  }

  Task<Result<std::vector<std::byte>>> read_state(int state, int64_t slot, int64_t cells) override {
    return states_.read(*gpu_, state, slot, cells);
  }
  Task<Status> write_state(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) override {
    return states_.write(*gpu_, state, slot, cells, bytes);
  }

 private:
  static std::unexpected<Error> not_prepared(const Plan& plan) {
    return fail(Code::invalid_argument, "webgpu", "plan of graph '" + plan.graph.name + "'", "to be prepared",
                "not prepared");
  }
  GpuPlan* find(const Plan& plan) const {
    for (const auto& known : plans_) {
      if (&known->plan() == &plan) return known.get();
    }
    return nullptr;
  }

  Host& host_;
  std::unique_ptr<Gpu> gpu_;
  Caps caps_;
  GpuWeights weights_;
  GpuStates states_;
  GpuPipelines pipelines_{*gpu_};
  std::vector<std::unique_ptr<GpuPlan>> plans_;
  std::map<const Plan*, std::unique_ptr<TokenLoop>> loops_;
  GpuCommands commands_;
};

}  // namespace

Caps webgpu_caps(const GpuInfo& info) {
  Caps caps;
  caps.kind = Caps::Kind::webgpu;
  caps.name = "webgpu " + info.name + " (" + info.backend + ")";
  caps.gpu = info;
  return caps;
}

Task<Result<std::unique_ptr<WebgpuDevice>>> make_webgpu_device(Host& host, std::unique_ptr<Gpu> gpu) {
  WEFT_CO_TRY(const auto tests, co_await test_features(*gpu));
  for (const FeatureTest& test : tests) {
    if (!test.passed)
      host.log(LogLevel::warning, gpu->info().name + " goes without " + test.feature + ": " + test.found);
  }
  const Caps caps = webgpu_caps(without_failed(gpu->info(), tests));
  co_return make_webgpu_device(host, std::move(gpu), caps);
}

std::unique_ptr<WebgpuDevice> make_webgpu_device(Host& host, std::unique_ptr<Gpu> gpu, Caps caps) {
  return std::make_unique<Implementation>(host, std::move(gpu), std::move(caps));
}

}  // namespace weft
