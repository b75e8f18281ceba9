#include "plan/traffic.h"

#include <algorithm>

namespace weft {

Traffic step_traffic(const Plan& plan, const Step& step, const StepSizes& sizes) {
  const Graph& graph = plan.graph;
  const Op op = graph.nodes[step.node].op;
  std::vector<int64_t> symbols = plan.bounds;
  auto set = [&](const char* name, int64_t size) {
    if (const SymbolId s = graph.symbol(name); s != kNoSymbol) symbols[s] = std::min(size, plan.bounds[s]);
  };
  set("T", sizes.tokens);
  set("R", sizes.rows);
  set("N", 1);
  set("S", op == Op::attention ? sizes.length : sizes.tokens);

  Traffic traffic;
  for (size_t i = 0; i < step.in.size(); ++i) {
    const Operand& o = step.in[i];
    if (o.value == kNoValue) continue;
    const ValueType& type = graph.type(o.value);
    const double bytes = static_cast<double>(size_of(type, symbols));
    switch (o.place.space) {
      case Place::Space::none:
        break;
      case Place::Space::weight:
      case Place::Space::constant:
        if (op == Op::embedding) {
          traffic.weights += bytes / static_cast<double>(type.shape[0].count) * static_cast<double>(sizes.tokens);
        } else {
          traffic.weights += bytes;
        }
        break;
      case Place::Space::state:
        traffic.states += bytes;
        break;
      default:
        traffic.activations += bytes;
    }
  }
  for (const Operand& o : step.out) {
    if (o.value == kNoValue) continue;
    const double bytes = static_cast<double>(size_of(graph.type(o.value), symbols));
    // A state that is written in place: its cells are counted above, unless all of it is read and written.
    if (o.place.space == Place::Space::state)
      traffic.states += op == Op::linear_recurrence ? bytes : 0;
    else
      traffic.activations += bytes;
  }
  return traffic;
}

Traffic plan_traffic(const Plan& plan, const StepSizes& sizes) {
  Traffic all;
  for (const Step& step : plan.steps) all += step_traffic(plan, step, sizes);
  return all;
}

int plan_dispatches(const Plan& plan, int64_t length) {
  int count = 0;
  for (const Step& step : plan.steps) {
    for (const GpuDispatch& d : step.gpu.dispatches) count += d.lengths.has(length);
  }
  return count;
}

}  // namespace weft
