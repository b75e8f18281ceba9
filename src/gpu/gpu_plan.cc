#include "gpu/gpu_plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weft {
namespace {

std::unexpected<Error> wrong(const Plan& plan, std::string what, std::string expected, std::string found) {
  return fail(Code::invalid_argument, "graph '" + plan.graph.name + "'", std::move(what), std::move(expected),
              std::move(found));
}

}  // namespace

Task<Result<std::unique_ptr<GpuPlan>>> GpuPlan::create(const Plan& plan, Gpu& gpu, const Memories& memories,
                                                       GpuPipelines& pipelines) {
  std::unique_ptr<GpuPlan> made(new GpuPlan(plan, gpu, memories));
  made->symbols_.assign(plan.bounds.begin(), plan.bounds.end());
  WEFT_CO_CHECK_OK(co_await made->make_buffers());
  WEFT_CO_CHECK_OK(co_await made->make_pipelines(pipelines));
  WEFT_CO_CHECK_OK(made->make_groups());
  co_return made;
}

GpuPlan::~GpuPlan() { release(); }

void GpuPlan::release() {
  for (auto& step : dispatches_) {
    for (Dispatch& d : step) gpu_.destroy(std::exchange(d.group, GpuBindGroup::none));
  }
  for (GpuBuffer buffer : {arena_, step_, nothing_}) {
    if (buffer != GpuBuffer::none) gpu_.destroy(buffer);
  }
  for (const auto* ports : {&outputs_, &inputs_}) {
    for (GpuBuffer buffer : *ports) {
      if (buffer != GpuBuffer::none) gpu_.destroy(buffer);
    }
  }
  arena_ = step_ = nothing_ = GpuBuffer::none;
  outputs_.clear();
  inputs_.clear();
  bytes_ = 0;
}

Task<Status> GpuPlan::renew() {
  release();
  WEFT_CO_CHECK_OK(co_await make_buffers());
  co_return make_groups();
}

Task<Status> GpuPlan::make_buffers() {
  const Graph& graph = plan_->graph;
  auto make = [&](int64_t bytes, std::string label) -> Task<Result<GpuBuffer>> {
    bytes = align_up(std::max<int64_t>(bytes, 16), 16);
    bytes_ += bytes;
    return gpu_.create_buffer(bytes, std::move(label));
  };
  index_ports_ = index_ports(graph);
  int64_t words = 0;
  port_words_ = port_words(graph, plan_->bounds, &words);
  step_words_.assign(static_cast<size_t>(words), 0);
  step_words_[kOneWord] = 1;
  WEFT_CO_TRY(step_, co_await make(words * 4, graph.name + " step"));
  WEFT_CO_TRY(nothing_, co_await make(16, "nothing"));
  WEFT_CO_TRY(arena_, co_await make(align_up(plan_->arena_bytes, kGpuAlignment) + plan_->scratch_bytes,
                                    graph.name + " activations"));
  for (size_t p = 0; p < graph.inputs.size(); ++p) {
    const Port& port = graph.inputs[p];
    if (port.name == "cells") cells_port_ = static_cast<int>(p);
    GpuBuffer buffer = GpuBuffer::none;
    if (port_words_[p] < 0) {
      WEFT_CO_TRY(buffer, co_await make(size_of(graph.type(port.value), plan_->bounds), "input " + port.name));
    }
    inputs_.push_back(buffer);
  }
  for (const Port& port : graph.outputs) {
    WEFT_CO_TRY(const GpuBuffer buffer,
                co_await make(size_of(graph.type(port.value), plan_->bounds), "output " + port.name));
    outputs_.push_back(buffer);
  }
  co_return Status{};
}

Task<Status> GpuPlan::make_pipelines(GpuPipelines& pipelines) {
  std::vector<GpuPipelines::Kernel> kernels;
  for (const Step& step : plan_->steps) {
    for (const GpuDispatch& d : step.gpu.dispatches) kernels.push_back({d.shader, d.constants});
  }
  WEFT_CO_TRY(const auto made, co_await pipelines.get(std::move(kernels)));
  auto next = made.begin();
  for (const Step& step : plan_->steps) {
    auto& list = dispatches_.emplace_back();
    for (const GpuDispatch& d : step.gpu.dispatches) list.push_back({*next++, GpuBindGroup::none, d.grid, d.lengths});
  }
  co_return Status{};
}

GpuRange GpuPlan::place(const Place& place, int64_t bytes) const {
  switch (place.space) {
    case Place::Space::arena:
      return {arena_, place.offset, bytes};
    case Place::Space::input:
      return {inputs_[place.index], 0, bytes};
    case Place::Space::output:
      return {outputs_[place.index], 0, bytes};
    case Place::Space::weight:
      return weights_.weight(place.index);
    case Place::Space::constant:
      return weights_.constant(place.index);
    case Place::Space::state:
      return states_[place.index];
    case Place::Space::none:
      return {};
  }
  return {};
}

Result<GpuRange> GpuPlan::range_of(const Step& step, const GpuBinding& binding) const {
  auto operand = [&](const Operand& o) -> Result<GpuRange> {
    if (o.place.space == Place::Space::none) return GpuRange{nothing_, 0, 16};
    if (o.place.space == Place::Space::state && o.place.index >= static_cast<int>(states_.size()))
      return wrong(*plan_, "states", "to be created before a plan is prepared", "not created");
    if (o.place.space == Place::Space::weight && o.place.index >= static_cast<int>(weights_.weights()))
      return wrong(*plan_, "weights", "to be loaded before a plan is prepared", "not loaded");
    if (o.place.space == Place::Space::weight) return weights_.weight(o.place.index, binding.part);
    return place(o.place, align_up(size_of(plan_->graph.type(o.value), plan_->bounds), 4));
  };
  switch (binding.from) {
    case GpuBinding::From::in:
      return operand(step.in[binding.index]);
    case GpuBinding::From::out:
      return operand(step.out[binding.index]);
    case GpuBinding::From::step:
      return step_range();
    case GpuBinding::From::nothing:
      return GpuRange{nothing_, 0, 16};
    case GpuBinding::From::absent:
      return GpuRange{};
    case GpuBinding::From::scratch:
      return GpuRange{arena_, step.scratch_offsets[binding.index], step.gpu.scratch[binding.index]};
    case GpuBinding::From::weights: {
      std::vector<int32_t> group;
      for (const Operand& o : step.in) {
        if (o.place.space == Place::Space::weight) group.push_back(o.place.index);
      }
      if (weights_.weights() == 0) return operand(step.in[0]);
      return weights_.group(group);
    }
  }
  return GpuRange{};
}

// Commands may be sent unchecked, so nothing that a GPU refuses may come so far.
Status GpuPlan::check_grid(const Step& step, const GpuDispatch& dispatch) const {
  const SymbolId s = plan_->graph.symbol("S");
  for (const Extent& e : dispatch.grid) {
    const int64_t size = e.word == kOneWord      ? 1
                         : e.word == kLengthWord ? (s == kNoSymbol ? 1 : plan_->bounds[s])
                                                 : plan_->bounds[e.word];
    const int64_t groups = e.groups(size);
    if (groups <= gpu_.info().max_workgroups) continue;
    return fail(Code::unsupported, std::string(step.kernel->name), "workgroups along an axis",
                "at most " + std::to_string(gpu_.info().max_workgroups), std::to_string(groups));
  }
  return {};
}

Status GpuPlan::make_groups() {
  std::vector<GpuRange> ranges;
  for (size_t s = 0; s < plan_->steps.size(); ++s) {
    const Step& step = plan_->steps[s];
    for (size_t d = 0; d < step.gpu.dispatches.size(); ++d) {
      ranges.clear();
      WEFT_CHECK_OK(check_grid(step, step.gpu.dispatches[d]));
      for (const GpuBinding& binding : step.gpu.dispatches[d].bindings) {
        WEFT_TRY(const GpuRange range, range_of(step, binding));
        if (range.bytes > gpu_.info().max_binding_bytes) {
          return fail(Code::unsupported, std::string(step.kernel->name), "bytes of one operand",
                      "at most " + std::to_string(gpu_.info().max_binding_bytes) + " on this GPU",
                      std::to_string(range.bytes), "use a smaller number format, or --device cpu");
        }
        ranges.push_back(range);
      }
      auto group = gpu_.create_bind_group(dispatches_[s][d].pipeline, ranges);
      if (!group) {
        return fail(group.error().code, std::string(step.kernel->name), "step " + std::to_string(s), {},
                    group.error().message());
      }
      dispatches_[s][d].group = *group;
    }
  }
  return {};
}

Status GpuPlan::bind(const Bindings& bindings) {
  const Graph& graph = plan_->graph;
  if (bindings.symbols.size() != graph.symbols.size() || bindings.inputs.size() != graph.inputs.size()) {
    return wrong(*plan_, "bindings",
                 std::to_string(graph.symbols.size()) + " sizes and " + std::to_string(graph.inputs.size()) + " inputs",
                 std::to_string(bindings.symbols.size()) + " and " + std::to_string(bindings.inputs.size()));
  }
  for (size_t i = 0; i < graph.symbols.size(); ++i) {
    if (bindings.symbols[i] < 0 || bindings.symbols[i] > plan_->bounds[i]) {
      return wrong(*plan_, "size of " + graph.symbols[i], "0 to " + std::to_string(plan_->bounds[i]),
                   std::to_string(bindings.symbols[i]));
    }
    symbols_[i] = bindings.symbols[i];
    step_words_[i] = static_cast<int32_t>(symbols_[i]);
  }
  for (size_t p = 0; p < graph.inputs.size(); ++p) {
    const auto bytes = bindings.inputs[p];
    const int64_t wanted = size_of(graph.type(graph.inputs[p].value), symbols_);
    if (static_cast<int64_t>(bytes.size()) != wanted) {
      return wrong(*plan_, "input '" + graph.inputs[p].name + "'", std::to_string(wanted) + " bytes",
                   std::to_string(bytes.size()));
    }
    if (bytes.empty()) continue;
    if (port_words_[p] >= 0) {
      std::memcpy(step_words_.data() + port_words_[p], bytes.data(), bytes.size());
    } else {
      WEFT_CHECK_OK(gpu_.write(inputs_[p], 0, bytes));
    }
  }
  WEFT_CHECK_OK(check_indices(bindings));
  length_ = 0;
  if (cells_port_ >= 0) {
    const int32_t* cells = step_words_.data() + port_words_[cells_port_];
    const size_t count = bindings.inputs[static_cast<size_t>(cells_port_)].size() / 4;
    for (size_t i = 0; i < count; ++i) length_ = std::max<int64_t>(length_, int64_t{cells[i]} + 1);
  }
  step_words_[kLengthWord] = static_cast<int32_t>(length_);
  return gpu_.write(step_, 0, std::as_bytes(std::span(step_words_)));
}

Status GpuPlan::bind_one(int32_t slot, int64_t cell) {
  const Graph& graph = plan_->graph;
  for (size_t s = 0; s < symbols_.size(); ++s) {
    const bool rows = graph.symbols[s] == "T" || graph.symbols[s] == "R";
    symbols_[s] = rows ? 1 : plan_->bounds[s];
    step_words_[s] = static_cast<int32_t>(symbols_[s]);
  }
  for (size_t p = 0; p < graph.inputs.size(); ++p) {
    if (port_words_[p] < 0) continue;
    const std::string& name = graph.inputs[p].name;
    const bool counts = name == "positions" || name == "cells";
    const int32_t value = name == "slots" ? slot : counts ? static_cast<int32_t>(cell) : 0;
    const int64_t words = size_of(graph.type(graph.inputs[p].value), symbols_) / 4;
    std::fill_n(step_words_.begin() + port_words_[p], words, value);
  }
  length_ = cell + 1;
  step_words_[kLengthWord] = static_cast<int32_t>(length_);
  return gpu_.write(step_, 0, std::as_bytes(std::span(step_words_)));
}

// Indices come from outside and reach into weights and states: each is checked against what it indexes.
Status GpuPlan::check_indices(const Bindings& bindings) const {
  const Graph& graph = plan_->graph;
  for (const IndexPort& index : index_ports_) {
    const int64_t limit = index.limit.count * (index.limit.symbol == kNoSymbol ? 1 : symbols_[index.limit.symbol]);
    const auto bytes = bindings.inputs[index.port];
    const int32_t* values = step_words_.data() + port_words_[index.port];
    for (size_t i = 0; i < bytes.size() / 4; ++i) {
      if (values[i] >= 0 && values[i] < limit) continue;
      return wrong(*plan_, "element " + std::to_string(i) + " of input '" + graph.inputs[index.port].name + "'",
                   "0 to " + std::to_string(limit - 1), std::to_string(values[i]));
    }
  }
  return {};
}

bool GpuPlan::size_of_grid(const Dispatch& dispatch, int64_t length, std::array<uint32_t, 3>& size) const {
  if (!dispatch.lengths.has(length)) return false;
  for (int i = 0; i < 3; ++i) {
    const Extent& e = dispatch.grid[i];
    const int64_t symbol = e.word == kOneWord ? 1 : e.word == kLengthWord ? length : symbols_[e.word];
    size[i] = static_cast<uint32_t>(e.groups(symbol));
    if (size[i] == 0) return false;
  }
  return true;
}

void GpuPlan::encode(GpuCommands& commands, size_t step, int64_t length) const {
  std::array<uint32_t, 3> size;
  for (const Dispatch& d : dispatches_[step]) {
    if (size_of_grid(d, length, size)) commands.dispatch(d.pipeline, d.group, size[0], size[1], size[2]);
  }
}

void GpuPlan::encode(GpuCommands& commands, int64_t length) const {
  for (size_t s = 0; s < dispatches_.size(); ++s) encode(commands, s, length);
}

bool GpuPlan::runs(size_t step, size_t dispatch) const {
  std::array<uint32_t, 3> size;
  return size_of_grid(dispatches_[step][dispatch], length_, size);
}

uint32_t GpuPlan::encode_timed(GpuCommands& commands, int64_t length) const {
  uint32_t count = 0;
  std::array<uint32_t, 3> size;
  for (const auto& step : dispatches_) {
    for (const Dispatch& d : step) {
      if (!size_of_grid(d, length, size)) continue;
      if (count < kMaxTimedPasses) commands.timed_pass(count++);
      commands.dispatch(d.pipeline, d.group, size[0], size[1], size[2]);
    }
  }
  return count;
}

int64_t GpuPlan::port_word(std::string_view name) const {
  const int port = port_index(plan_->graph.inputs, name);
  return port < 0 ? -1 : port_words_[port];
}

GpuRange GpuPlan::output(int port) const {
  return {outputs_[port], 0, size_of(plan_->graph.type(plan_->graph.outputs[port].value), plan_->bounds)};
}

}  // namespace weft
