#include "plan/step_input.h"

#include <algorithm>

namespace weft {

StepInput::StepInput(const Plan& plan, const Step& step) {
  const Graph& graph = plan.graph;
  const int64_t tokens = static_cast<int64_t>(step.ids.size());
  bindings_.symbols = plan.bounds;
  for (size_t s = 0; s < graph.symbols.size(); ++s) {
    if (graph.symbols[s] == "T") bindings_.symbols[s] = tokens;
    if (graph.symbols[s] == "R") bindings_.symbols[s] = 1;
  }
  for (const Port& port : graph.inputs) {
    std::vector<int32_t>& values = values_.emplace_back(size_of(graph.type(port.value), bindings_.symbols) / 4);
    const int64_t each = port.name == "rows" ? 1 : static_cast<int64_t>(values.size()) / tokens;  // axes of a position
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t token = static_cast<int64_t>(i) / each;
      if (port.name == "ids")
        values[i] = step.ids[i];
      else if (port.name == "rows")
        values[i] = static_cast<int32_t>(tokens - 1);
      else if (port.name == "slots")
        values[i] = step.slot;
      else if (port.name == "positions" || port.name == "cells")
        values[i] = static_cast<int32_t>(step.first + token);
    }
  }
  for (const std::vector<int32_t>& values : values_) bindings_.inputs.push_back(std::as_bytes(std::span(values)));
}

}  // namespace weft
