#include "cpu/prepared_plan.h"

#include <algorithm>
#include <limits>

namespace weft {

Result<PreparedPlan> PreparedPlan::create(const Plan& plan, const WeightStore& weights) {
  PreparedPlan prepared;
  prepared.plan_ = &plan;
  int64_t output_bytes = 0;
  for (const Port& port : plan.graph.outputs) {
    prepared.output_offsets_.push_back(output_bytes);
    output_bytes += (size_of(plan.graph.type(port.value), plan.bounds) + 63) / 64 * 64;
  }
  std::vector<bool> made(plan.graph.outputs.size());
  for (const weft::Step& step : plan.steps) {
    const Node& node = plan.graph.nodes[step.node];
    Step made_step{.kernel = step.kernel, .attrs = &node.attrs};
    auto add = [&](const std::vector<Operand>& operands, int& begin, int& count) -> Status {
      begin = static_cast<int>(prepared.sources_.size());
      count = static_cast<int>(operands.size());
      for (const Operand& operand : operands) {
        const Place& place = operand.place;
        if ((place.space == Place::Space::weight && place.index >= static_cast<int>(weights.weights())) ||
            (place.space == Place::Space::constant && place.index >= static_cast<int>(weights.constants()))) {
          return fail(Code::invalid_argument, "cpu", "weights of the plan", "to be loaded before prepare",
                      "not loaded");
        }
        if (place.space == Place::Space::input) {
          prepared.input_refs_.push_back(static_cast<int>(prepared.sources_.size()));
        }
        prepared.sources_.push_back({operand.value, place});
      }
      return {};
    };
    WEFT_CHECK_OK(add(step.in, made_step.in_begin, made_step.in_count));
    WEFT_CHECK_OK(add(step.out, made_step.out_begin, made_step.out_count));
    for (const Operand& operand : step.out) {
      if (operand.place.space == Place::Space::output) made[operand.place.index] = true;
    }
    prepared.steps_.push_back(made_step);
  }
  for (size_t i = 0; i < made.size(); ++i) {
    if (!made[i]) {
      return fail(Code::unsupported, "cpu", "output '" + plan.graph.outputs[i].name + "'", "made by a step of the plan",
                  "made by none");
    }
  }
  prepared.refs_.resize(prepared.sources_.size());
  WEFT_TRY(prepared.output_memory_, Memory::zeroed(output_bytes, false, "outputs"));
  prepared.find_index_ports(plan);
  prepared.limits_.assign(plan.graph.inputs.size(), -1);
  return prepared;
}

// Indices come from outside and reach into weights and states: each is checked against what it indexes.
void PreparedPlan::find_index_ports(const Plan& plan) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    for (const IndexInput& index : kIndexInputs) {
      if (index.op != plan.graph.nodes[plan.steps[i].node].op || index.input >= step.in_count) continue;
      const Place& place = sources_[step.in_begin + index.input].place;
      if (place.space == Place::Space::input)
        index_ports_.push_back({place.index, step.in_begin + index.target, index.axis});
    }
  }
}

TensorRef PreparedPlan::describe(const Source& source, const Memories& memories) const {
  switch (source.place.space) {
    case Place::Space::weight:
      return memories.weights.weight(source.place.index);
    case Place::Space::constant:
      return memories.weights.constant(source.place.index);
    // A state's sizes are those it was created with, whatever part of it this step binds.
    case Place::Space::state:
      return memories.states.state(source.place.index);
    case Place::Space::none:
      return {};
    default:
      break;
  }
  const ValueType& type = plan_->graph.type(source.value);
  TensorRef ref{.dtype = type.dtype, .rank = type.shape.rank};
  for (int i = 0; i < ref.rank; ++i) {
    const Dim& dim = type.shape[i];
    ref.dim[i] = dim.count * (dim.symbol < 0 ? 1 : symbols_[dim.symbol]);
  }
  if (source.place.space == Place::Space::arena) ref.data = memories.arena + source.place.offset;
  if (source.place.space == Place::Space::output) {
    ref.data = output_memory_.data() + output_offsets_[source.place.index];
  }
  return ref;
}

Status PreparedPlan::bind(const Bindings& bindings, const Memories& memories, int64_t generation) {
  const Graph& graph = plan_->graph;
  if (bindings.symbols.size() != graph.symbols.size() || bindings.inputs.size() != graph.inputs.size()) {
    return fail(Code::invalid_argument, "cpu", "bindings of graph '" + graph.name + "'",
                std::to_string(graph.symbols.size()) + " sizes and " + std::to_string(graph.inputs.size()) + " inputs",
                std::to_string(bindings.symbols.size()) + " and " + std::to_string(bindings.inputs.size()));
  }
  if (generation != generation_ || bindings.symbols != symbols_) {
    for (size_t i = 0; i < graph.symbols.size(); ++i) {
      if (bindings.symbols[i] < 0 || bindings.symbols[i] > plan_->bounds[i]) {
        return fail(Code::invalid_argument, "cpu", "size of " + graph.symbols[i],
                    "0 to " + std::to_string(plan_->bounds[i]), std::to_string(bindings.symbols[i]));
      }
    }
    generation_ = -1;  // until everything below has succeeded
    symbols_ = bindings.symbols;
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (sources_[i].place.space == Place::Space::state &&
          sources_[i].place.index >= static_cast<int>(memories.states.size())) {
        return fail(Code::invalid_argument, "cpu", "states of the plan", "to be created before the first submit",
                    "not created");
      }
      refs_[i] = describe(sources_[i], memories);
    }
    std::fill(limits_.begin(), limits_.end(), -1);
    for (const IndexPort& index : index_ports_) {
      const int64_t size = refs_[index.target].dim[index.axis];
      int64_t& limit = limits_[index.port];
      limit = limit < 0 ? size : std::min(limit, size);
    }
    generation_ = generation;
  }
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const int64_t wanted = size_of(graph.type(graph.inputs[i].value), symbols_);
    if (static_cast<int64_t>(bindings.inputs[i].size()) != wanted) {
      return fail(Code::invalid_argument, "cpu", "input '" + graph.inputs[i].name + "'",
                  std::to_string(wanted) + " bytes", std::to_string(bindings.inputs[i].size()));
    }
  }
  for (int ref : input_refs_) {
    // Kernels only read inputs; TensorRef serves results too and has no const form.
    refs_[ref].data = const_cast<std::byte*>(bindings.inputs[sources_[ref].place.index].data());
  }
  return check_indices(bindings);
}

Status PreparedPlan::check_indices(const Bindings& bindings) const {
  for (size_t port = 0; port < limits_.size(); ++port) {
    if (limits_[port] < 0) continue;
    const int32_t* values = reinterpret_cast<const int32_t*>(bindings.inputs[port].data());
    for (size_t i = 0; i < bindings.inputs[port].size() / 4; ++i) {
      if (values[i] < 0 || values[i] >= limits_[port]) {
        return fail(Code::invalid_argument, "cpu",
                    "element " + std::to_string(i) + " of input '" + plan_->graph.inputs[port].name + "'",
                    "0 to " + std::to_string(limits_[port] - 1), std::to_string(values[i]));
      }
    }
  }
  return {};
}

std::span<const std::byte> PreparedPlan::output(int port) const {
  if (symbols_.empty() && !plan_->graph.symbols.empty()) return {};
  const int64_t bytes = size_of(plan_->graph.type(plan_->graph.outputs[port].value), symbols_);
  return {output_memory_.data() + output_offsets_[port], static_cast<size_t>(bytes)};
}

const TensorRef* PreparedPlan::find(ValueId value) const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].value == value) return &refs_[i];
  }
  return nullptr;
}

}  // namespace weft
