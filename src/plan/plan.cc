#include "plan/plan.h"

#include <algorithm>
#include <set>

#include "plan/storage.h"

namespace weft {
namespace {

constexpr int64_t kMaxBound = int64_t{1} << 31;
constexpr double kMaxBytes = 0x1p46;  // of one value: anything more is a wrong bound

Result<std::vector<int64_t>> bind(const Graph& graph, const PlanOptions& options) {
  std::vector<int64_t> bounds(graph.symbols.size(), 0);
  for (const auto& [name, bound] : options.bounds) {
    const SymbolId s = graph.symbol(name);
    if (s == kNoSymbol || bound < 1 || bound > kMaxBound) {
      return fail(Code::invalid_argument, "graph '" + graph.name + "'", "bound of '" + name + "'",
                  s == kNoSymbol ? "a symbol of the graph" : "1 to 2^31", std::to_string(bound));
    }
    bounds[s] = bound;
  }
  for (size_t s = 0; s < bounds.size(); ++s) {
    if (bounds[s] == 0) {
      return fail(Code::invalid_argument, "graph '" + graph.name + "'", "bound of '" + graph.symbols[s] + "'", "one",
                  "none");
    }
  }
  return bounds;
}

Status check_sizes(const Graph& graph, std::span<const int64_t> bounds) {
  for (const Value& value : graph.values) {
    double bytes = info(value.type.dtype).bytes;
    for (int i = 0; i < value.type.shape.rank; ++i) {
      const Dim& dim = value.type.shape[i];
      bytes *=
          static_cast<double>(dim.count) * (dim.symbol == kNoSymbol ? 1.0 : static_cast<double>(bounds[dim.symbol]));
    }
    if (bytes > kMaxBytes) {
      return fail(Code::out_of_memory, "graph '" + graph.name + "'", "size of '" + value.name + "'",
                  "fewer than 2^46 bytes", to_string(graph, value.type.shape));
    }
  }
  return {};
}

// The operand types of a node, kept alive for an OpCall.
struct CallTypes {
  std::vector<ValueType> in, out;
  OpCall call;

  CallTypes(const Graph& graph, const Node& node, std::span<const WeightLayout> layouts,
            std::span<const int64_t> bounds)
      : call{.op = node.op, .attrs = node.attrs, .in = {}, .out = {}} {
    for (ValueId v : node.inputs) in.push_back(v == kNoValue ? ValueType{} : graph.type(v));
    for (ValueId v : node.outputs) out.push_back(graph.type(v));
    call.in = in;
    call.out = out;
    const Dim& rows = out[0].shape[0];
    call.tokens = rows.count * (rows.symbol == kNoSymbol ? 1 : bounds[rows.symbol]);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      const Value& value = graph.values[node.inputs[i]];
      if (value.kind != ValueKind::weight) continue;
      call.weights |= 1u << i;
      if (layouts[value.index] != WeightLayout::row_major) call.layout = layouts[value.index];
    }
  }
  CallTypes(const CallTypes&) = delete;
};

std::string describe(const Graph& graph, const Node& node) {
  std::string text = std::string(op_name(node.op)) + "(";
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    text += i ? ", " : "";
    text += v == kNoValue ? "-" : std::string(name(graph.type(v).dtype)) + to_string(graph, graph.type(v).shape);
  }
  return text + ")" + to_string(node.attrs);
}

std::string_view layout_name(WeightLayout layout) {
  switch (layout) {
    case WeightLayout::row_major:
      return "row_major";
    case WeightLayout::rows16:
      return "rows16";
    case WeightLayout::planes:
      return "planes";
  }
  return "?";
}

// By input of the node: where the port lies in the step buffer; -1 for what is no integer port.
std::vector<int64_t> input_words(const Graph& graph, const Node& node, std::span<const int64_t> ports) {
  std::vector<int64_t> words;
  for (ValueId v : node.inputs) {
    const bool port = v != kNoValue && graph.values[v].kind == ValueKind::input;
    words.push_back(port ? ports[graph.values[v].index] : -1);
  }
  return words;
}

// The dispatches of a step and room for their scratch behind the values of the arena.
void lower(Plan& plan, Step& step, const OpCall& call, std::span<const int64_t> ports) {
  const std::vector<int64_t> words = input_words(plan.graph, plan.graph.nodes[step.node], ports);
  GpuCall gpu{call, plan.caps, plan.bounds, words, 0};
  // Tuning may be of another version of the kernel, with more variants.
  if (step.variant >= (step.kernel->variants ? step.kernel->variants(gpu) : 1)) step.variant = 0;
  gpu.variant = step.variant;
  step.gpu = step.kernel->lower(gpu);
  int64_t end = 0;
  for (int64_t bytes : step.gpu.scratch) {
    step.scratch_offsets.push_back(align_up(plan.arena_bytes, kGpuAlignment) + end);
    end += align_up(bytes, kGpuAlignment);
  }
  plan.scratch_bytes = std::max(plan.scratch_bytes, end);
}

std::string to_string(const Graph& graph, const Grid& grid) {
  std::string text;
  for (const Extent& e : grid) {
    text += text.empty() ? "" : "x";
    if (e.word == kOneWord) {
      text += std::to_string(e.groups(1));
      continue;
    }
    const std::string size = e.word == kLengthWord ? "length" : graph.symbols[e.word];
    text +=
        (e.count == 1 ? "" : std::to_string(e.count) + "*") + size + (e.per == 1 ? "" : "/" + std::to_string(e.per));
    if (e.most != INT64_MAX) text += "<=" + std::to_string(e.most);
  }
  return text;
}

}  // namespace

int64_t size_of(const ValueType& type, std::span<const int64_t> symbols) {
  int64_t rows = 1, last = 1;
  for (int i = 0; i < type.shape.rank; ++i) {
    const Dim& dim = type.shape[i];
    rows *= last;
    last = dim.count * (dim.symbol == kNoSymbol ? 1 : symbols[dim.symbol]);
  }
  return rows * row_bytes(type.dtype, last);
}

std::vector<WeightLayout> choose_layouts(const Model& model, const Caps& caps) {
  std::vector<WeightLayout> layouts;
  for (const WeightDecl& w : model.weights) layouts.push_back(layout_for(w.dtype, w.shape, caps));
  return layouts;
}

std::vector<int64_t> port_words(const Graph& graph, std::span<const int64_t> bounds, int64_t* words) {
  std::vector<int64_t> first;
  int64_t end = kFirstPortWord;
  for (const Port& port : graph.inputs) {
    const ValueType& type = graph.type(port.value);
    first.push_back(type.dtype == DType::i32 ? end : -1);
    if (type.dtype == DType::i32) end += align_up(size_of(type, bounds) / 4, 4);
  }
  if (words) *words = end;
  return first;
}

std::vector<IndexPort> index_ports(const Graph& graph) {
  std::vector<IndexPort> ports;
  for (const Node& node : graph.nodes) {
    for (const IndexInput& index : kIndexInputs) {
      if (index.op != node.op) continue;
      const ValueId v = node.inputs[index.input];
      if (v == kNoValue || graph.values[v].kind != ValueKind::input) continue;
      const IndexPort port{graph.values[v].index, graph.type(node.inputs[index.target]).shape[index.axis]};
      const bool known =
          std::ranges::any_of(ports, [&](const IndexPort& p) { return p.port == port.port && p.limit == port.limit; });
      if (!known) ports.push_back(port);
    }
  }
  return ports;
}

std::vector<std::vector<int32_t>> weight_groups(std::span<const Plan* const> plans) {
  std::set<std::vector<int32_t>> groups;
  for (const Plan* plan : plans) {
    for (const Step& step : plan->steps) {
      const bool grouped = std::ranges::any_of(step.gpu.dispatches, [](const GpuDispatch& d) {
        return std::ranges::find(d.bindings, all_weights()) != d.bindings.end();
      });
      if (!grouped) continue;
      std::vector<int32_t> group;
      for (const Operand& o : step.in) {
        if (o.place.space == Place::Space::weight) group.push_back(o.place.index);
      }
      groups.insert(std::move(group));
    }
  }
  return {groups.begin(), groups.end()};
}

Result<Plan> make_plan(const Model& model, const Graph& graph, const Caps& caps, const PlanOptions& options) {
  WEFT_CHECK_OK(verify(graph));
  Plan plan{.graph = graph, .caps = caps};
  WEFT_TRY(plan.bounds, bind(graph, options));
  WEFT_CHECK_OK(check_sizes(graph, plan.bounds));
  for (const Value& value : graph.values) {
    const size_t count = value.kind == ValueKind::weight     ? model.weights.size()
                         : value.kind == ValueKind::constant ? model.constants.size()
                         : value.kind == ValueKind::state    ? model.states.size()
                                                             : SIZE_MAX;
    if (static_cast<size_t>(value.index) >= count) {
      return fail(Code::invalid_argument, "graph '" + graph.name + "'", "value '" + value.name + "'",
                  "one of the model's " + std::to_string(count), std::to_string(value.index));
    }
  }
  WEFT_CHECK_OK(copy_shared_outputs(plan.graph));
  plan.layouts = choose_layouts(model, caps);
  const Storage storage = assign_storage(plan.graph, plan.bounds, caps.kind);
  plan.arena_bytes = storage.arena_bytes;
  plan.peak_values = storage.peak_values;

  if (caps.kind == Caps::Kind::webgpu && plan.bounds.size() > kMaxSymbols) {
    return fail(Code::unsupported, "graph '" + graph.name + "'", "symbols", "at most " + std::to_string(kMaxSymbols),
                std::to_string(plan.bounds.size()));
  }
  const std::vector<int64_t> ports = port_words(plan.graph, plan.bounds, nullptr);
  for (size_t n = 0; n < plan.graph.nodes.size(); ++n) {
    const Node& node = plan.graph.nodes[n];
    if (node.op == Op::view) continue;
    const CallTypes types(plan.graph, node, plan.layouts, plan.bounds);
    Step step{.node = static_cast<int32_t>(n)};
    step.kernel = choose_kernel(types.call, caps, &step.variant);
    if (!step.kernel) {
      const std::string& tap = plan.graph.values[node.outputs[0]].name;
      return fail(Code::unsupported, caps.name,
                  "kernel for " + (tap.empty() ? "node " + std::to_string(n) : "'" + tap + "'"),
                  "one that computes " + describe(plan.graph, node), "none");
    }
    if (step.kernel->scratch_bytes) {
      plan.scratch_bytes =
          std::max(plan.scratch_bytes, step.kernel->scratch_bytes(types.call, plan.bounds, std::max(1, caps.threads)));
    }
    auto operand = [&](ValueId v) { return v == kNoValue ? Operand{} : Operand{v, storage.places[v]}; };
    for (ValueId v : node.inputs) step.in.push_back(operand(v));
    for (ValueId v : node.outputs) step.out.push_back(operand(v));
    if (step.kernel->lower) lower(plan, step, types.call, ports);
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

std::string step_key(const Plan& plan, const Step& step) {
  return call_key(CallTypes(plan.graph, plan.graph.nodes[step.node], plan.layouts, plan.bounds).call);
}

std::vector<Tuning::Choice> step_choices(const Plan& plan, const Step& step) {
  const Node& node = plan.graph.nodes[step.node];
  const CallTypes types(plan.graph, node, plan.layouts, plan.bounds);
  const std::vector<int64_t> words = input_words(plan.graph, node, port_words(plan.graph, plan.bounds, nullptr));
  std::vector<Tuning::Choice> choices;
  std::set<std::string> seen;
  for (const Kernel* kernel : kernels(node.op)) {
    if (kernel->device != plan.caps.kind || !kernel->lower || !kernel->supports(types.call, plan.caps)) continue;
    const int variants = kernel->variants ? kernel->variants({types.call, plan.caps, plan.bounds, words, 0}) : 1;
    for (int v = 0; v < variants; ++v) {
      // Kernels may fall back to each other's dispatches.
      std::string text;
      for (const GpuDispatch& d : kernel->lower({types.call, plan.caps, plan.bounds, words, v}).dispatches)
        text += std::string(d.shader) + "\n" + d.constants + to_string(plan.graph, d.grid) + "\n";
      if (seen.insert(std::move(text)).second) choices.push_back({std::string(kernel->name), v});
    }
  }
  return choices;
}

MemoryUse memory_needed(const Model& model, std::span<const Plan* const> plans) {
  MemoryUse use;
  for (const ConstantDecl& c : model.constants) use.weights += static_cast<int64_t>(c.data.size() * sizeof(float));
  if (!plans.empty()) {
    for (size_t w = 0; w < model.weights.size(); ++w) {
      use.weights += layout_bytes(model.weights[w].dtype, model.weights[w].shape, plans[0]->layouts[w]);
    }
  }
  std::vector<int64_t> state_bytes(model.states.size(), 0);
  for (const Plan* plan : plans) {
    use.activations += plan->arena_bytes + plan->scratch_bytes;
    for (const Port& port : plan->graph.outputs) use.activations += size_of(plan->graph.type(port.value), plan->bounds);
    for (const Value& value : plan->graph.values) {
      if (value.kind != ValueKind::state) continue;
      state_bytes[value.index] = std::max(state_bytes[value.index], size_of(value.type, plan->bounds));
    }
  }
  for (int64_t bytes : state_bytes) use.states += bytes;
  return use;
}

std::string to_string(const Plan& plan) {
  const Graph& graph = plan.graph;
  const std::vector<std::string> texts = value_texts(graph);
  auto operand = [&](const Operand& o) -> std::string {
    switch (o.place.space) {
      case Place::Space::none:
        return "-";
      case Place::Space::arena:
        return texts[o.value] + "@" + std::to_string(o.place.offset);
      case Place::Space::output:
        return texts[o.value] + "@out:" + graph.outputs[o.place.index].name;
      case Place::Space::weight: {
        const WeightLayout layout = plan.layouts[o.place.index];
        return texts[o.value] + (layout == WeightLayout::row_major ? "" : "(" + std::string(layout_name(layout)) + ")");
      }
      case Place::Space::state: {
        if (graph.values[o.value].kind == ValueKind::state) return texts[o.value];
        return texts[o.value] + "@state:" + std::to_string(o.place.index);
      }
      case Place::Space::input:
      case Place::Space::constant:
        return texts[o.value];
    }
    return "?";
  };
  auto list = [&](const std::vector<Operand>& operands) {
    std::string text;
    for (const Operand& o : operands) text += (text.empty() ? "" : ", ") + operand(o);
    return text;
  };
  std::string bounds;
  for (size_t s = 0; s < plan.bounds.size(); ++s) {
    bounds += (s ? ", " : "") + graph.symbols[s] + "=" + std::to_string(plan.bounds[s]);
  }
  std::string text = "plan " + graph.name + " on " + plan.caps.name + "\n" + "bounds " + bounds + "\n" + "arena " +
                     std::to_string(plan.arena_bytes) + " bytes, scratch " + std::to_string(plan.scratch_bytes) +
                     " bytes, at most " + std::to_string(plan.peak_values) + " values alive\n";
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    const Node& node = graph.nodes[step.node];
    std::string types, names;
    for (const Operand& o : step.out) {
      const Value& value = graph.values[o.value];
      types += (types.empty() ? "" : ", ") + std::string(name(value.type.dtype)) + to_string(graph, value.type.shape);
      if (!value.name.empty()) names += (names.empty() ? "  # " : ", ") + value.name;
    }
    text += std::to_string(i) + ": " + list(step.out) + " = " + std::string(step.kernel->name) + "(" + list(step.in) +
            ")" + to_string(node.attrs) + " : " + types + names + "\n";
    for (const GpuDispatch& d : step.gpu.dispatches) {
      text += "   " + std::string(d.shader) + " " + to_string(graph, d.grid);
      if (d.lengths.above) text += " if length > " + std::to_string(d.lengths.above);
      if (d.lengths.up_to) text += " if length <= " + std::to_string(d.lengths.up_to);
      text += "\n";
    }
  }
  return text;
}

}  // namespace weft
