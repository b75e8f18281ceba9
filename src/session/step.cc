// One step on the device, and the plans for it.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "session/model_impl.h"

namespace weft {
namespace {

// Bytes of a value at the plan's bounds.
int64_t port_bytes(const Plan& plan, const Port& port) { return size_of(plan.graph.type(port.value), plan.bounds); }

}  // namespace

Result<std::unique_ptr<FileWeightReader>> FileWeightReader::create(std::shared_ptr<Weights> weights,
                                                                   const Model& model) {
  auto reader = std::make_unique<FileWeightReader>();
  for (const WeightDecl& decl : model.weights) {
    WEFT_TRY(WeightInfo info, weights->find(decl.name));
    reader->infos_.push_back(std::move(info));
  }
  reader->weights_ = std::move(weights);
  return reader;
}

std::span<const std::byte> FileWeightReader::mapped(int weight) {
  const WeightInfo& info = infos_[weight];
  if (info.transform != WeightInfo::Transform::none) return {};
  const std::byte* base = weights_->file().source(info.tensor->part).mapped();
  if (!base) return {};
  return {base + info.tensor->offset, static_cast<size_t>(info.tensor->bytes)};
}

Task<Status> FileWeightReader::read_rows(int weight, int64_t chunk_bytes,
                                         std::function<Status(int64_t, std::span<const std::byte>)> sink) {
  return weights_->read_rows(infos_[weight], chunk_bytes, std::move(sink));
}

void FileWeightReader::release(int weight) { weights_->release(infos_[weight]); }

Result<std::unique_ptr<StepPlan>> LanguageModel::Impl::plan_for(int64_t tokens, int64_t rows) const {
  auto step = std::make_unique<StepPlan>();
  step->tokens = tokens;
  step->rows = rows;
  PlanOptions bounds;
  const Graph& graph = tokens == 1 ? graph_of_one : this->graph;
  for (const std::string& symbol : graph.symbols) {
    const int64_t bound = symbol == "T"   ? tokens
                          : symbol == "R" ? rows
                          : symbol == "N" ? options.slots
                          : symbol == "S" ? context
                                          : 0;
    if (bound == 0)
      return fail(Code::unsupported, model.architecture, "size " + symbol + " of graph " + graph.name, "T, R, N or S",
                  symbol);
    bounds.bounds.emplace_back(symbol, bound);
  }
  WEFT_TRY(step->plan, make_plan(model, graph, device->caps(), bounds));

  const Graph& g = step->plan.graph;
  step->symbol_t = g.symbol("T");
  step->symbol_r = g.symbol("R");
  step->ids = port_index(g.inputs, "ids");
  step->positions = port_index(g.inputs, "positions");
  step->slots = port_index(g.inputs, "slots");
  step->cells = port_index(g.inputs, "cells");
  step->wanted = port_index(g.inputs, "rows");
  step->logits = port_index(g.outputs, "logits");
  if (step->ids < 0 || step->logits < 0 || step->symbol_t < 0)
    return fail(Code::unsupported, model.architecture, "graph " + g.name, "ports ids and logits over T tokens",
                "others");
  for (const Port& port : g.inputs) {
    step->inputs.emplace_back(port_bytes(step->plan, port) / sizeof(int32_t));
    step->bindings.inputs.emplace_back();
  }
  step->bindings.symbols = step->plan.bounds;
  return step;
}

Task<Status> LanguageModel::Impl::step(StepPlan& step, StepRequest request) {
  auto turn_held = co_await turn.enter();
  WEFT_CO_CHECK_OK(co_await submit(step, request));
  if (request.logits.empty()) co_return Status{};
  co_return co_await device->read(step.plan, step.logits, std::as_writable_bytes(request.logits));
}

Task<Status> LanguageModel::Impl::submit(StepPlan& step, StepRequest request) {
  const int64_t count = static_cast<int64_t>(request.ids.size());
  CHECK(count >= 1 && count <= step.tokens && request.rows >= 1 && request.rows <= std::min(count, step.rows));
  CHECK(request.first + count <= context);
  if (!step.prepared) {
    WEFT_CO_CHECK_OK(co_await device->prepare(step.plan));
    step.prepared = true;
  }

  const int64_t axes = model.position_axes;
  const auto input = [&](int port) -> int32_t* { return port < 0 ? nullptr : step.inputs[port].data(); };
  std::copy(request.ids.begin(), request.ids.end(), input(step.ids));
  for (int64_t i = 0; i < count; ++i) {
    const int32_t cell = static_cast<int32_t>(request.first + i);
    if (int32_t* positions = input(step.positions)) std::fill_n(positions + i * axes, axes, cell);
    if (int32_t* slots = input(step.slots)) slots[i] = request.slot;
    if (int32_t* cells = input(step.cells)) cells[i] = cell;
  }
  if (int32_t* wanted = input(step.wanted))
    for (int64_t i = 0; i < request.rows; ++i) wanted[i] = static_cast<int32_t>(count - request.rows + i);

  step.bindings.symbols[step.symbol_t] = count;
  if (step.symbol_r >= 0) step.bindings.symbols[step.symbol_r] = request.rows;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const int64_t bytes = size_of(step.plan.graph.type(step.plan.graph.inputs[i].value), step.bindings.symbols);
    step.bindings.inputs[i] = std::as_bytes(std::span(step.inputs[i])).first(static_cast<size_t>(bytes));
  }
  WEFT_CO_CHECK_OK(co_await device->submit(step.plan, step.bindings, request.cancel, nullptr));
  step.ran = true;
  co_return Status{};
}

std::vector<std::string> LanguageModel::Impl::kernels() const {
  std::set<std::string> names;
  for (const StepPlan* plan : {one.get(), chunk.get(), all_rows.get()}) {
    if (!plan || !plan->ran) continue;
    for (const Step& step : plan->plan.steps) names.insert(std::string(step.kernel->name));
  }
  return {names.begin(), names.end()};
}

}  // namespace weft
