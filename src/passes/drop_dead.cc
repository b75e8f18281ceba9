// Removes nodes that nobody reads: neither a node that stays, nor an output port, nor a later step through a state.
#include "graph/edit.h"
#include "passes/rewrites.h"

namespace weft::passes {

void drop_dead(Graph& graph, const Model&, const Target&) {
  std::vector<bool> read(graph.values.size(), false), dead(graph.nodes.size(), true);
  for (const Port& port : graph.outputs) read[port.value] = true;
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    bool needed = !state_writes(node.op).empty();
    for (ValueId v : node.outputs) needed |= read[v];
    if (!needed) continue;
    dead[n] = false;
    for (ValueId v : node.inputs) {
      if (v != kNoValue) read[v] = true;
    }
  }
  remove_nodes(graph, dead);
}

}  // namespace weft::passes
