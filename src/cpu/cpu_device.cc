#include "cpu/cpu_device.h"

#include <algorithm>
#include <cstring>
#include <string>
#if !defined(__wasm__)
#endif

#include "cpu/pool.h"
#include "cpu/prepared_plan.h"
#include "cpu/taps.h"
#include "ops/cpu_level.h"

namespace weft {
namespace {

// Control goes back to the event loop about this often during long work; the promise is 50 ms, a chunk of a step may
// take the rest.
constexpr double kYieldSeconds = 0.025;
constexpr int kMaxThreads = 256;

class CpuDevice : public Device {
 public:
  CpuDevice(Host& host, int threads, CpuLevel level) : host_(host), pool_(host, threads) {
    caps_.kind = Caps::Kind::cpu;
    caps_.cpu_level = level;
    caps_.threads = pool_.threads();
    caps_.name = "cpu " + std::string(cpu_level_name(level)) + ", " + std::to_string(pool_.threads()) +
                 (pool_.threads() == 1 ? " thread" : " threads");
  }

  const Caps& caps() const override { return caps_; }

  MemoryUse memory() const override {
    MemoryUse use{weights_.bytes(), states_.bytes(), arena_.size() + scratch_.size()};
    for (const auto& plan : plans_) use.activations += plan->output_bytes();
    return use;
  }

  Task<Status> load(const Model& model, std::span<const Plan* const>, WeightReader& reader, const Progress& progress,
                    const CancelFlag* cancel) override {
    return weights_.load(model, choose_layouts(model, caps_), reader, pool_, host_, progress, cancel);
  }

  Task<Status> create_states(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols) override {
    ++generation_;
    co_return states_.create(model, symbols);
  }

  Task<Status> prepare(const Plan& plan) override {
    WEFT_CO_TRY(auto prepared, PreparedPlan::create(plan, weights_));
    WEFT_CO_CHECK_OK(grow(arena_, plan.arena_bytes, "activations"));
    WEFT_CO_CHECK_OK(grow(scratch_, plan.scratch_bytes, "scratch"));
    ++generation_;
    auto made = std::make_unique<PreparedPlan>(std::move(prepared));
    for (auto& known : plans_) {
      if (&known->plan() == &plan) {
        known = std::move(made);
        co_return Status{};
      }
    }
    plans_.push_back(std::move(made));
    co_return Status{};
  }

  Task<Status> submit(const Plan& plan, const Bindings& bindings, const CancelFlag* cancel,
                      const TapSink* sink) override {
    PreparedPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    WEFT_CO_CHECK_OK(prepared->bind(bindings, {weights_, states_, arena_.data()}, generation_));
    std::optional<Taps> taps;
    if (sink) taps.emplace(*prepared, *sink).before_first_step();
    double last_yield = host_.now();
    auto late = [&] { return host_.now() - last_yield > kYieldSeconds; };
    for (size_t i = 0; i < prepared->steps().size(); ++i) {
      const PreparedPlan::Step& step = prepared->steps()[i];
      const CpuCall call{.attrs = *step.attrs,
                         .in = prepared->inputs_of(step),
                         .out = prepared->outputs_of(step),
                         .scratch = {scratch_.data(), static_cast<size_t>(scratch_.size())},
                         .workers = pool_.threads(),
                         .level = caps_.cpu_level};
      const int64_t items = step.kernel->items(call);
      for (int64_t done = 0; done < items;) {
        if (cancel && cancel->cancelled()) co_return fail(Code::cancelled, "cpu", "running a step of the model");
        auto run = [&, done](int64_t begin, int64_t end, int worker) {
          step.kernel->run(call, done + begin, done + end, worker);
        };
        done += pool_.run_until(items - done, run, late);
        if (late()) {
          co_await host_.yield();
          last_yield = host_.now();
        }
      }
      if (taps) taps->after_step(i);
    }
    co_return Status{};
  }

  Task<Status> read(const Plan& plan, int output, std::span<std::byte> out) override {
    const PreparedPlan* prepared = find(plan);
    if (!prepared) co_return not_prepared(plan);
    if (output < 0 || output >= static_cast<int>(plan.graph.outputs.size())) {
      co_return fail(Code::invalid_argument, "cpu", "output port", "below " + std::to_string(plan.graph.outputs.size()),
                     std::to_string(output));
    }
    const auto bytes = prepared->output(output);
    if (bytes.size() != out.size()) {
      co_return fail(Code::invalid_argument, "cpu", "output '" + plan.graph.outputs[output].name + "'",
                     std::to_string(bytes.size()) + " bytes", std::to_string(out.size()));
    }
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    co_return Status{};
  }

  Task<Result<std::vector<std::byte>>> read_state(int state, int64_t slot, int64_t cells) override {
    co_return states_.read(state, slot, cells);
  }
  Task<Status> write_state(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) override {
    co_return states_.write(state, slot, cells, bytes);
  }

 private:
  static Status grow(Memory& memory, int64_t bytes, const char* what) {
    if (memory.size() >= bytes) return {};
    memory = {};
    WEFT_TRY(memory, Memory::zeroed(bytes, true, what));
    return {};
  }
  static std::unexpected<Error> not_prepared(const Plan& plan) {
    return fail(Code::invalid_argument, "cpu", "plan of graph '" + plan.graph.name + "'", "to be prepared",
                "not prepared");
  }
  PreparedPlan* find(const Plan& plan) const {
    for (const auto& known : plans_) {
      if (&known->plan() == &plan) return known.get();
    }
    return nullptr;
  }

  Host& host_;
  Caps caps_;
  WeightStore weights_;
  StateStore states_;
  Memory arena_, scratch_;  // shared by all plans: one runs at a time, and outputs have memory of their own
  std::vector<std::unique_ptr<PreparedPlan>> plans_;
  int64_t generation_ = 0;  // of the addresses of weights, states and arena
  Pool pool_;               // last: its threads end first
};

}  // namespace

Result<std::unique_ptr<Device>> make_cpu_device(Host& host, int threads, std::optional<CpuLevel> level) {
  if (threads < 0 || threads > kMaxThreads) {
    return fail(Code::invalid_argument, "cpu", "threads", "0 to " + std::to_string(kMaxThreads),
                std::to_string(threads));
  }
  if (threads == 0) threads = std::clamp(host.cores(), 1, kMaxThreads);
  if (level) {
    bool known = false;
    for (CpuLevel available : available_cpu_levels()) known |= available == *level;
    if (!known) {
      return fail(Code::unsupported, "cpu", "instruction set",
                  std::string(cpu_level_name(best_cpu_level())) + " or less", std::string(cpu_level_name(*level)));
    }
  }
  return std::make_unique<CpuDevice>(host, threads, level.value_or(best_cpu_level()));
}

}  // namespace weft
