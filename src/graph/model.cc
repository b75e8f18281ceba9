#include "graph/model.h"

namespace weft {

const Graph* Model::graph(std::string_view name) const {
  for (const Graph& g : graphs) {
    if (g.name == name) return &g;
  }
  return nullptr;
}

int64_t Model::state_bytes(int64_t slots, int64_t cells) const {
  int64_t total = 0;
  for (const StateDecl& state : states) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < state.shape.rank; ++i) {
      const Dim& dim = state.shape[i];
      rows *= dim.count;
      if (dim.symbol >= 0) rows *= state_symbols[dim.symbol] == "N" ? slots : cells;
    }
    total += rows * row_bytes(state.dtype, state.shape.back().count);
  }
  return total;
}

}  // namespace weft
