#include "fake_loop.h"

#include <algorithm>
#include <deque>

#include "cpu/cpu_device.h"

namespace weft::test {
namespace {

std::unexpected<Error> lost() { return fail(Code::device_lost, "fake", "the device", "one", "none"); }

SamplingOptions options_of(const LoopSampling& s) {
  return {.temperature = s.temperature,
          .top_k = s.top_k,
          .top_p = s.top_p,
          .min_p = s.min_p,
          .repeat_penalty = s.repeat_penalty,
          .frequency_penalty = s.frequency_penalty,
          .presence_penalty = s.presence_penalty,
          .penalty_last_n = s.penalty_last_n,
          .logit_bias = {s.logit_bias.begin(), s.logit_bias.end()},
          .seed = s.seed,
          .logprobs = s.logprobs};
}

class FakeLoop : public TokenLoop {
 public:
  FakeLoop(Device& cpu, LoopProbe& probe) : cpu_(cpu), probe_(probe) {}

  Status start(const LoopSampling& sampling, int32_t slot, int64_t cell) override {
    if (probe_.lost) return lost();
    if (probe_.refuse || sampling.logprobs > kMaxLoopLogprobs) return fail(Code::unsupported, "fake", "sampling");
    ++probe_.starts;
    probe_.steps_at_first_read = -1;
    sampler_.emplace(options_of(sampling));
    const std::vector<float> anything(4);
    for (uint64_t i = 0; i < sampling.first_draw; ++i) (void)sampler_->sample(anything);
    sampler_->accept(sampling.history);
    slot_ = slot;
    cell_ = cell;
    tokens_.clear();
    begun_ = probe_.under_way = 0;
    valid = true;
    sampled_ = false;
    return {};
  }

  Status sample(const Plan& prefill) override {
    EXPECT_TRUE(valid) << "sample() before start()";
    sampled_ = true;
    steps_ = 0;
    return probe_.scripted ? Status{} : take(prefill);
  }

  Status advance(int64_t steps) override {
    EXPECT_TRUE(valid && sampled_) << "the decode plan was used for something else since start()";
    EXPECT_GE(steps, 1);
    if (probe_.scripted) return {};
    for (int64_t i = 0; i < steps; ++i, ++probe_.steps, ++steps_) {
      if (probe_.lose_after == probe_.steps) probe_.lost = true;
      if (probe_.lost) return lost();
      WEFT_CHECK_OK(one_step());
    }
    return {};
  }

  Status begin_read(int64_t count) override {
    if (probe_.lost) return lost();
    if (probe_.scripted) return {};
    EXPECT_LE(begun_ + count, static_cast<int64_t>(tokens_.size()));
    begun_ += count;
    ++probe_.under_way;
    return {};
  }

  Task<Status> read(std::span<LoopToken> tokens) override {
    if (probe_.steps_at_first_read < 0) probe_.steps_at_first_read = steps_;
    if (probe_.host) co_await probe_.host->yield();
    if (probe_.lose_in_read) probe_.lost = true;
    if (probe_.lost) co_return lost();
    ++probe_.reads;
    if (probe_.scripted) {
      for (LoopToken& token : tokens) token.id = scripted_++ % 300;
      co_return Status{};
    }
    --probe_.under_way;
    EXPECT_LE(tokens.size(), static_cast<size_t>(begun_));
    for (LoopToken& token : tokens) {
      auto next = std::move(tokens_.front());
      tokens_.pop_front();
      --begun_;
      if (!next) co_return std::unexpected(next.error());
      token = *next;
    }
    co_return Status{};
  }

  const Plan* decode = nullptr;
  bool valid = false;

 private:
  // The token of the logits that `plan` left.
  Status take(const Plan& plan) {
    size_t port = 0;
    while (plan.graph.outputs[port].name != "logits") ++port;
    std::vector<float> logits(static_cast<size_t>(plan.graph.type(plan.graph.outputs[port].value).shape.back().count));
    WEFT_CHECK_OK(run(cpu_.read(plan, static_cast<int>(port), std::as_writable_bytes(std::span(logits)))));
    auto sampled = sampler_->sample(logits);
    if (sampled) {
      LoopToken token{.id = sampled->id, .logprob = sampled->chosen.logprob};
      token.best_ids.fill(-1);
      for (size_t i = 0; i < sampled->best.size(); ++i) {
        token.best_ids[i] = sampled->best[i].id;
        token.best[i] = sampled->best[i].logprob;
      }
      id_ = token.id;
      sampler_->accept({&id_, 1});
      tokens_.push_back(token);
    } else {
      id_ = 0;  // as a GPU does: it goes on until the host looks
      tokens_.push_back(std::unexpected(std::move(sampled).error()));
    }
    probe_.most_unread = std::max(probe_.most_unread, static_cast<int64_t>(tokens_.size()));
    EXPECT_LE(tokens_.size(), static_cast<size_t>(kMaxAhead));
    return {};
  }

  Status one_step() {
    const Graph& graph = decode->graph;
    EXPECT_LT(cell_, decode->bounds[graph.symbol("S")]) << "a step beyond the context";
    std::vector<std::vector<int32_t>> values;
    Bindings bindings{.symbols = decode->bounds};
    for (const Port& port : graph.inputs) {
      const int64_t count = size_of(graph.type(port.value), decode->bounds) / 4;
      const int32_t value = port.name == "ids"     ? id_
                            : port.name == "slots" ? slot_
                            : port.name == "rows"  ? 0
                                                   : static_cast<int32_t>(cell_);
      values.emplace_back(static_cast<size_t>(count), value);
    }
    for (const auto& value : values) bindings.inputs.push_back(std::as_bytes(std::span(value)));
    WEFT_CHECK_OK(run(cpu_.submit(*decode, bindings, nullptr, nullptr)));
    ++cell_;
    return take(*decode);
  }

  Device& cpu_;
  LoopProbe& probe_;
  std::optional<Sampler> sampler_;
  std::deque<Result<LoopToken>> tokens_;
  int64_t cell_ = 0, begun_ = 0, steps_ = 0;
  int32_t slot_ = 0, id_ = 0, scripted_ = 0;
  bool sampled_ = false;
};

class FakeDevice : public Device {
 public:
  FakeDevice(std::unique_ptr<Device> cpu, LoopProbe& probe)
      : cpu_(std::move(cpu)), probe_(probe), loop_(*cpu_, probe) {}

  const Caps& caps() const override { return cpu_->caps(); }
  MemoryUse memory() const override { return cpu_->memory(); }
  Task<Status> load(const Model& model, std::span<const Plan* const> plans, WeightReader& reader,
                    const Progress& progress, const CancelFlag* cancel) override {
    return cpu_->load(model, plans, reader, progress, cancel);
  }
  Task<Status> create_states(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols) override {
    return cpu_->create_states(model, symbols);
  }
  Task<Status> prepare(const Plan& plan) override { return cpu_->prepare(plan); }
  Task<Status> submit(const Plan& plan, const Bindings& bindings, const CancelFlag* cancel,
                      const TapSink* taps) override {
    if (probe_.lost) co_return lost();
    if (&plan == loop_.decode) loop_.valid = false;  // its step buffer is the loop's
    co_return co_await cpu_->submit(plan, bindings, cancel, taps);
  }
  Task<Status> read(const Plan& plan, int output, std::span<std::byte> out) override {
    if (probe_.lost) co_return lost();
    co_return co_await cpu_->read(plan, output, out);
  }
  TokenLoop* loop(const Plan& decode) override {
    loop_.decode = &decode;
    return &loop_;
  }
  Task<Result<std::vector<std::byte>>> read_state(int state, int64_t slot, int64_t cells) override {
    return cpu_->read_state(state, slot, cells);
  }
  Task<Status> write_state(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) override {
    return cpu_->write_state(state, slot, cells, bytes);
  }

 private:
  std::unique_ptr<Device> cpu_;
  LoopProbe& probe_;
  FakeLoop loop_;
};

}  // namespace

Result<std::unique_ptr<Device>> make_fake_loop_device(Host& host, LoopProbe& probe) {
  WEFT_TRY(auto cpu, make_cpu_device(host, 1));
  return std::unique_ptr<Device>(new FakeDevice(std::move(cpu), probe));
}

}  // namespace weft::test
