// What rewrites of a graph have in common. After an edit, graph.values[v].index of results and the order of nodes are
// as verify() wants them.
#pragma once

#include "graph/graph.h"

namespace weft {

// By value: how many node inputs and output ports read it.
std::vector<int> use_counts(const Graph& graph);

// By value: the node that makes it, or -1.
inline int producer(const Graph& graph, ValueId v) {
  return v >= 0 && graph.values[v].kind == ValueKind::result ? graph.values[v].index : -1;
}

// A new unnamed result; the caller makes it the output of a node.
ValueId add_result(Graph& graph, const ValueType& type);

// Renumbers results after nodes were inserted, replaced or moved.
void renumber(Graph& graph);

// Removes the marked nodes, then every result that no node makes any more and every weight, constant and state that
// nothing reads. Input ports stay.
void remove_nodes(Graph& graph, const std::vector<bool>& dead);

}  // namespace weft
