#include "gpu/gpu_taps.h"

#include "plan/floats.h"

namespace weft {
namespace {

// Reads `value` from `place` and shows it with its sizes of this step; a state whole.
Task<Status> show(const GpuPlan& prepared, Gpu& gpu, ValueId value, const Place& place, const TapSink& sink) {
  const Graph& graph = prepared.plan().graph;
  const std::string& name = graph.values[value].name;
  if (name.empty()) co_return Status{};
  const ValueType& type = graph.type(value);
  const int64_t bytes = size_of(type, prepared.symbols());
  std::vector<std::byte> data(static_cast<size_t>(align_up(bytes, 4)));
  if (bytes > 0) {
    const GpuRange range = prepared.place(place, bytes);
    WEFT_CO_CHECK_OK(co_await gpu.read(range.buffer, range.offset, data));
  }
  TensorRef ref{.data = data.data(), .dtype = type.dtype, .rank = type.shape.rank};
  for (int i = 0; i < ref.rank; ++i) {
    const Dim& dim = type.shape[i];
    ref.dim[i] = dim.count * (dim.symbol == kNoSymbol ? 1 : prepared.symbols()[dim.symbol]);
  }
  const std::vector<float> floats = to_floats(ref);
  sink(name, {ref.dim.data(), static_cast<size_t>(ref.rank)}, floats);
  co_return Status{};
}

}  // namespace

Task<Status> submit_with_taps(const GpuPlan& prepared, Gpu& gpu, const TapSink& sink) {
  const Plan& plan = prepared.plan();
  const Graph& graph = plan.graph;
  std::vector<Place> places(graph.values.size());
  GpuCommands commands;
  size_t step = 0;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (node.op == Op::view) {
      places[node.outputs[0]] = places[node.inputs[0]];
      if (places[node.outputs[0]].space == Place::Space::none) continue;  // of an input: it is the caller's
      WEFT_CO_CHECK_OK(co_await show(prepared, gpu, node.outputs[0], places[node.outputs[0]], sink));
      continue;
    }
    commands.clear();
    prepared.encode(commands, step, prepared.length());
    WEFT_CO_CHECK_OK(gpu.submit(commands));
    for (const Operand& o : plan.steps[step].out) {
      if (o.value == kNoValue) continue;
      places[o.value] = o.place;
      WEFT_CO_CHECK_OK(co_await show(prepared, gpu, o.value, o.place, sink));
    }
    ++step;
  }
  co_return Status{};
}

}  // namespace weft
