#include "cpu/taps.h"

#include "plan/floats.h"

namespace weft {
Taps::Taps(const PreparedPlan& plan, const TapSink& sink)
    : plan_(plan), sink_(sink), refs_(plan.plan().graph.values.size()) {}

void Taps::show(ValueId id) {
  const Value& value = plan_.plan().graph.values[id];
  if (value.name.empty() || !refs_[id].data) return;
  const std::vector<float> floats = to_floats(refs_[id]);
  sink_(value.name, {refs_[id].dim.data(), static_cast<size_t>(refs_[id].rank)}, floats);
}

void Taps::views_until(int32_t node) {
  const Graph& graph = plan_.plan().graph;
  for (; next_node_ < node; ++next_node_) {
    const Node& view = graph.nodes[next_node_];
    if (view.op != Op::view) continue;
    const ValueId from = view.inputs[0], to = view.outputs[0];
    const TensorRef* placed = plan_.find(to);  // sizes of the view; none if nobody reads it
    if (!refs_[from].data) {
      if (const TensorRef* source = plan_.find(from)) refs_[from] = *source;
    }
    refs_[to] = placed ? *placed : refs_[from];
    if (!placed) {
      refs_[to].rank = graph.type(to).shape.rank;
      int64_t left = refs_[from].elements();
      for (int i = refs_[to].rank - 1; i > 0; --i) left /= refs_[to].dim[i] = graph.type(to).shape[i].count;
      refs_[to].dim[0] = left;
    }
    refs_[to].data = refs_[from].data;
    show(to);
  }
}

void Taps::before_first_step() { views_until(plan_.plan().steps.empty() ? 0 : plan_.plan().steps[0].node); }

void Taps::after_step(size_t step) {
  const Plan& plan = plan_.plan();
  const int32_t node = plan.steps[step].node;
  next_node_ = node + 1;
  const auto refs = plan_.outputs_of(plan_.steps()[step]);
  for (size_t i = 0; i < refs.size(); ++i) {
    const ValueId id = plan.steps[step].out[i].value;
    if (id == kNoValue) continue;
    refs_[id] = refs[i];
    show(id);
  }
  views_until(step + 1 < plan.steps.size() ? plan.steps[step + 1].node : static_cast<int32_t>(plan.graph.nodes.size()));
}

}  // namespace weft
