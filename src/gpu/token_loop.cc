#include "gpu/token_loop.h"

#include <algorithm>

#include "gpu/gpu_sampler.h"

namespace weft {
namespace {

// Steps of one submit: a submit costs the host about as much as ten dispatches, and until it is made the GPU waits.
constexpr int64_t kStepsPerSubmit = 4;

class GpuTokenLoop : public TokenLoop {
 public:
  GpuTokenLoop(Gpu& gpu, GpuPlan& decode, std::function<GpuPlan*(const Plan&)> find,
               std::unique_ptr<GpuSampler> sampler)
      : gpu_(gpu),
        decode_(decode),
        find_(std::move(find)),
        sampler_(std::move(sampler)),
        logits_(decode.output(port_index(decode.plan().graph.outputs, "logits"))),
        context_(cells_of(decode.plan())) {}

  // Cells of the states that the plan's steps write: the bound of the symbol S.
  static int64_t cells_of(const Plan& plan) {
    const SymbolId s = plan.graph.symbol("S");
    return s == kNoSymbol ? INT64_MAX : plan.bounds[s];
  }

  Status start(const LoopSampling& sampling, int32_t slot, int64_t cell) override {
    WEFT_CHECK_OK(decode_.bind_one(slot, cell));
    length_ = cell + 1;
    return sampler_->start(sampling);
  }

  Status sample(const Plan& prefill) override {
    GpuPlan* plan = find_(prefill);
    const int port = port_index(prefill.graph.outputs, "logits");
    if (!plan || port < 0) {
      return fail(Code::invalid_argument, "webgpu", "plan of graph '" + prefill.graph.name + "'",
                  "prepared, with logits", plan ? "without logits" : "not prepared");
    }
    GpuRange logits = plan->output(port);
    logits.bytes = logits_.bytes;
    commands_.clear();
    WEFT_CHECK_OK(sampler_->encode(commands_, logits, false));
    return gpu_.submit(commands_);
  }

  Status advance(int64_t steps) override {
    if (length_ + steps - 1 > context_) {
      return fail(Code::context_full, "webgpu", "cells", "at most the context's " + std::to_string(context_),
                  std::to_string(length_ + steps - 1));
    }
    for (int64_t step = 0; step < steps;) {
      commands_.clear();
      for (const int64_t end = std::min(step + kStepsPerSubmit, steps); step < end; ++step) {
        decode_.encode(commands_, length_++);
        WEFT_CHECK_OK(sampler_->encode(commands_, logits_, true));
      }
      WEFT_CHECK_OK(gpu_.submit(commands_));
    }
    return {};
  }

  Status begin_read(int64_t count) override { return sampler_->begin_read(count); }
  Task<Status> read(std::span<LoopToken> tokens) override { return sampler_->read(tokens); }

 private:
  Gpu& gpu_;
  GpuPlan& decode_;
  std::function<GpuPlan*(const Plan&)> find_;
  std::unique_ptr<GpuSampler> sampler_;
  GpuRange logits_;
  int64_t context_;
  int64_t length_ = 0;  // cells in use after the next step
  GpuCommands commands_;
};

}  // namespace

bool can_loop(const Plan& plan) {
  const Graph& graph = plan.graph;
  const int logits = port_index(graph.outputs, "logits"), ids = port_index(graph.inputs, "ids");
  const SymbolId t = graph.symbol("T");
  if (logits < 0 || ids < 0 || t == kNoSymbol || plan.bounds[t] != 1) return false;
  const ValueType& type = graph.type(graph.outputs[logits].value);
  return type.dtype == DType::f32 && size_of(type, plan.bounds) == type.shape.back().count * 4;
}

Task<Result<std::unique_ptr<TokenLoop>>> make_gpu_token_loop(Gpu& gpu, GpuPipelines& pipelines, GpuPlan& decode,
                                                             std::function<GpuPlan*(const Plan&)> find) {
  const Graph& graph = decode.plan().graph;
  const auto word = [&](std::string_view name) { return static_cast<int32_t>(decode.port_word(name)); };
  const Port* positions = graph.input("positions");
  const SamplerTarget target{
      .step = decode.step_range(),
      .ids = word("ids"),
      .positions = word("positions"),
      .cells = word("cells"),
      .position_axes = positions ? static_cast<int32_t>(graph.type(positions->value).shape.back().count) : 1};
  const int64_t vocab = graph.type(graph.output("logits")->value).shape.back().count;
  const int64_t context = std::min<int64_t>(GpuTokenLoop::cells_of(decode.plan()), int64_t{1} << 24);
  WEFT_CO_TRY(auto sampler, co_await GpuSampler::create(gpu, pipelines, vocab, context, target));
  co_return std::make_unique<GpuTokenLoop>(gpu, decode, std::move(find), std::move(sampler));
}

}  // namespace weft
