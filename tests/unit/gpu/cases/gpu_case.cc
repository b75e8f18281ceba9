#include "gpu_case.h"

#include <algorithm>

namespace weft::test {
namespace {

enum Symbols : SymbolId { kT, kN, kS };

// The graph of the case with its sizes as in a model: rows are T, the slots and cells of states N and S.
Model make_model(const CaseRun& run) {
  Model model;
  Graph graph{.name = run.test.name, .symbols = {"T", "N", "S"}};
  const Node& source = run.graph.nodes[0];
  Node node{.op = source.op, .attrs = source.attrs};
  const bool caches = source.op == Op::attention || source.op == Op::kv_write || source.op == Op::norm_qkv;
  for (size_t i = 0; i < run.test.in.size(); ++i) {
    const CaseTensor& tensor = run.test.in[i];
    if (tensor.role == CaseTensor::Role::absent) {
      node.inputs.push_back(kNoValue);
      continue;
    }
    Value value{.name = "in" + std::to_string(i)};
    if (caches && i + 1 == run.test.in.size()) value.name = "cells";  // they say how much of a cache is in use
    value.type.dtype = tensor.dtype;
    value.type.shape.rank = static_cast<int>(tensor.shape.size());
    for (size_t d = 0; d < tensor.shape.size(); ++d) value.type.shape.dims[d].count = tensor.shape[d];
    auto& dims = value.type.shape.dims;
    if (tensor.rows) dims[0] = {1, kT};
    switch (tensor.role) {
      case CaseTensor::Role::weight:
        value.kind = ValueKind::weight;
        value.index = static_cast<int32_t>(model.weights.size());
        model.weights.push_back({value.name, tensor.dtype, tensor.shape});
        break;
      case CaseTensor::Role::constant:
        value.kind = ValueKind::constant;
        value.index = static_cast<int32_t>(model.constants.size());
        model.constants.push_back({value.name, tensor.shape, run.values[i].f32});
        break;
      case CaseTensor::Role::state: {
        value.kind = ValueKind::state;
        value.index = static_cast<int32_t>(model.states.size());
        StateDecl decl{value.name, tensor.dtype, value.type.shape};
        decl.shape.dims[0] = {1, 0};
        dims[0] = {1, kN};
        if (tensor.shape.size() == 4) {
          decl.shape.dims[2] = {1, 1};
          dims[2] = {1, kS};
        }
        model.states.push_back(std::move(decl));
        break;
      }
      default:
        value.kind = ValueKind::input;
        value.index = static_cast<int32_t>(graph.inputs.size());
        graph.inputs.push_back({value.name, static_cast<ValueId>(graph.values.size())});
    }
    node.inputs.push_back(static_cast<ValueId>(graph.values.size()));
    graph.values.push_back(std::move(value));
  }
  std::vector<ValueType> types;
  CHECK(infer_types(graph, node, types).has_value());
  for (size_t i = 0; i < types.size(); ++i) {
    const auto id = static_cast<ValueId>(graph.values.size());
    node.outputs.push_back(id);
    graph.values.push_back({.type = types[i], .kind = ValueKind::result, .index = 0});
    const bool written = std::ranges::any_of(state_writes(node.op),
                                             [&](const StateWrite& w) { return w.result == static_cast<int>(i); });
    if (!written) graph.outputs.push_back({"out" + std::to_string(i), id});
  }
  graph.nodes.push_back(std::move(node));
  model.graphs.push_back(std::move(graph));
  return model;
}

int64_t size_of_symbol(const CaseRun& run, SymbolId symbol) {
  if (symbol == kT) return std::max<int64_t>(1, run.rows());
  for (const CaseTensor& tensor : run.test.in) {
    if (tensor.role != CaseTensor::Role::state) continue;
    if (symbol == kN) return tensor.shape[0];
    if (tensor.shape.size() == 4) return tensor.shape[2];
  }
  return 1;
}

// A plan for several rows has room for more than there are; one for a single row (decode) does not. Cases then share
// kernels too.
int64_t bound_of_symbol(const CaseRun& run, SymbolId symbol) {
  const int64_t size = size_of_symbol(run, symbol);
  return symbol == kT && size > 1 ? align_up(size, 8) : size;
}

// What the planner asks the kernels.
struct CallOfCase {
  std::vector<ValueType> in, out;
  std::vector<int64_t> bounds, words;
  OpCall call;

  CallOfCase(const CaseRun& run, const Model& model, const Caps& caps)
      : call{.op = run.test.op, .attrs = run.test.attrs, .in = {}, .out = {}} {
    const Graph& graph = model.graphs[0];
    const Node& node = graph.nodes[0];
    const std::vector<WeightLayout> layouts = choose_layouts(model, caps);
    for (SymbolId s : {kT, kN, kS}) bounds.push_back(bound_of_symbol(run, s));
    const std::vector<int64_t> ports = port_words(graph, bounds, nullptr);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId v = node.inputs[i];
      in.push_back(v == kNoValue ? ValueType{} : graph.type(v));
      words.push_back(v != kNoValue && graph.values[v].kind == ValueKind::input ? ports[graph.values[v].index] : -1);
      if (v == kNoValue || graph.values[v].kind != ValueKind::weight) continue;
      call.weights |= 1u << i;
      const WeightLayout layout = layouts[static_cast<size_t>(graph.values[v].index)];
      if (layout != WeightLayout::row_major) call.layout = layout;
    }
    for (ValueId v : node.outputs) out.push_back(graph.type(v));
    call.in = in;
    call.out = out;
    const Dim& rows = out[0].shape[0];
    call.tokens = rows.count * (rows.symbol == kNoSymbol ? 1 : bounds[static_cast<size_t>(rows.symbol)]);
  }
  CallOfCase(const CallOfCase&) = delete;
};

class CaseReader : public WeightReader {
 public:
  explicit CaseReader(const CaseRun& run) {
    for (size_t i = 0; i < run.test.in.size(); ++i) {
      if (run.test.in[i].role == CaseTensor::Role::weight) bytes_.push_back(run.encoded[i]);
    }
  }
  std::span<const std::byte> mapped(int) override { return {}; }
  Task<Status> read_rows(int weight, int64_t,
                         std::function<Status(int64_t, std::span<const std::byte>)> sink) override {
    co_return sink(0, bytes_[static_cast<size_t>(weight)]);
  }
  void release(int) override {}

 private:
  std::vector<std::span<const std::byte>> bytes_;
};

}  // namespace

std::vector<Choice> choices(const CaseRun& run, const Caps& caps) {
  const Model model = make_model(run);
  const CallOfCase call(run, model, caps);
  std::vector<Choice> list;
  for (const Kernel* kernel : kernels(run.test.op)) {
    if (kernel->device != Caps::Kind::webgpu || !kernel->supports(call.call, caps)) continue;
    const int variants = kernel->variants ? kernel->variants({call.call, caps, call.bounds, call.words}) : 1;
    for (int v = 0; v < variants; ++v) list.push_back({kernel, v});
  }
  return list;
}

GpuCase::GpuCase(const CaseRun& data, const Caps& device, Choice wanted)
    : run(data),
      choice(wanted),
      what(data.test.name + " by " + std::string(wanted.kernel->name) + " variant " + std::to_string(wanted.variant)),
      plan(fail(Code::internal, data.test.name, "not planned")),
      model_(make_model(data)) {
  Caps caps = device;
  auto tuning = std::make_shared<Tuning>();
  tuning->choices[call_key(CallOfCase(run, model_, caps).call)] = {std::string(wanted.kernel->name), wanted.variant};
  caps.tuning = tuning;
  PlanOptions options;
  for (SymbolId s : {kT, kN, kS})
    options.bounds.emplace_back(model_.graphs[0].symbols[static_cast<size_t>(s)], bound_of_symbol(run, s));
  plan = make_plan(model_, model_.graphs[0], caps, options);
}

std::vector<GpuShader> GpuCase::shaders() const {
  std::vector<GpuShader> list;
  for (const Step& step : plan->steps) {
    for (const GpuDispatch& d : step.gpu.dispatches)
      list.push_back({std::string(d.shader), specialised_wgsl(d.shader, d.constants)});
  }
  return list;
}

Task<Status> GpuCase::load(Device& device) {
  CaseReader reader(run);
  const Plan* const plans[] = {&*plan};
  WEFT_CO_CHECK_OK(co_await device.load(model_, plans, reader, {}, nullptr));
  const std::pair<std::string, int64_t> sizes[] = {{"N", size_of_symbol(run, kN)}, {"S", size_of_symbol(run, kS)}};
  co_return co_await device.create_states(model_, sizes);
}

Task<Result<std::vector<std::vector<float>>>> GpuCase::compute(Device& device, const CaseRun& data) {
  const Graph& graph = plan->graph;
  const Node& node = graph.nodes[0];
  const int64_t slots = size_of_symbol(run, kN), cells = size_of_symbol(run, kS);
  Bindings bindings{.symbols = {size_of_symbol(data, kT), slots, cells}};
  int32_t state = 0;
  for (size_t i = 0; i < data.test.in.size(); ++i) {
    const std::span<const std::byte> bytes = data.encoded[i];
    if (data.test.in[i].role == CaseTensor::Role::activation) bindings.inputs.push_back(bytes);
    if (data.test.in[i].role != CaseTensor::Role::state) continue;
    const size_t slot_bytes = bytes.size() / static_cast<size_t>(slots);
    for (int64_t slot = 0; slot < slots; ++slot) {
      WEFT_CO_CHECK_OK(co_await device.write_state(state, slot, cells,
                                                   bytes.subspan(static_cast<size_t>(slot) * slot_bytes, slot_bytes)));
    }
    ++state;
  }
  WEFT_CO_CHECK_OK(co_await device.submit(*plan, bindings, nullptr, nullptr));
  std::vector<std::vector<float>> results;
  int port = 0;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueType& type = graph.type(node.outputs[i]);
    const int64_t bytes = size_of(type, bindings.symbols), row = type.shape.back().count;
    std::vector<std::byte> out;
    const auto writes = state_writes(node.op);
    const auto write =
        std::ranges::find_if(writes, [&](const StateWrite& w) { return w.result == static_cast<int>(i); });
    if (write == writes.end()) {
      out.resize(static_cast<size_t>(bytes));
      WEFT_CO_CHECK_OK(co_await device.read(*plan, port++, out));
    } else {
      const int32_t index = graph.values[node.inputs[static_cast<size_t>(write->input)]].index;
      for (int64_t slot = 0; slot < slots; ++slot) {
        WEFT_CO_TRY(const auto part, co_await device.read_state(index, slot, cells));
        out.insert(out.end(), part.begin(), part.end());
      }
    }
    results.push_back(decode(type.dtype, out.data(), bytes / row_bytes(type.dtype, row) * row, row));
  }
  co_return results;
}

}  // namespace weft::test
