#include <algorithm>
#include <set>

#include "graph/graph.h"

namespace weft {
namespace {

// Sizes of one value, with every symbol at 1: more is no model but a mistake, and products stay exact in a double.
constexpr int64_t kMaxElements = int64_t{1} << 40;

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  Status run() {
    WEFT_CHECK_OK(symbols());
    WEFT_CHECK_OK(values());
    WEFT_CHECK_OK(ports());
    WEFT_CHECK_OK(nodes());
    return states();
  }

 private:
  std::unexpected<Error> bad(std::string what, std::string expected, std::string found) const {
    return fail(Code::invalid_argument, "graph '" + graph_.name + "'", std::move(what), std::move(expected),
                std::move(found));
  }
  bool in_range(ValueId v) const { return v >= 0 && v < static_cast<ValueId>(graph_.values.size()); }
  static std::string id(const char* what, size_t i) { return std::string(what) + " " + std::to_string(i); }

  Status symbols() {
    std::set<std::string> seen;
    for (const std::string& s : graph_.symbols) {
      if (s.empty() || !seen.insert(s).second) return bad("symbols", "distinct names", "'" + s + "' again");
    }
    return {};
  }

  Status type(const ValueType& t, const std::string& what) {
    if (static_cast<int>(t.dtype) >= kDTypeCount) return bad(what, "a known dtype", "none");
    if (t.shape.rank < 0 || t.shape.rank > kMaxRank) return bad(what, "rank 0 to 4", std::to_string(t.shape.rank));
    double elements = 1;
    for (int i = 0; i < t.shape.rank; ++i) {
      const Dim& d = t.shape[i];
      elements *= static_cast<double>(d.count);
      if (d.count < 1 || elements > kMaxElements) {
        return bad(what, "sizes of 1 or more, fewer than 2^40 elements", to_string(graph_, t.shape));
      }
      if (d.symbol != kNoSymbol && (d.symbol < 0 || d.symbol >= static_cast<SymbolId>(graph_.symbols.size()))) {
        return bad(what, "a symbol of the graph", std::to_string(d.symbol));
      }
    }
    if (is_block(t.dtype)) {
      const bool whole =
          t.shape.rank > 0 && t.shape.back().symbol == kNoSymbol && t.shape.back().count % info(t.dtype).block == 0;
      if (!whole) return bad(what, "rows of whole blocks", to_string(graph_, t.shape));
    }
    return {};
  }

  Status values() {
    std::set<std::string> names;
    std::set<std::pair<ValueKind, int32_t>> sources;
    for (size_t v = 0; v < graph_.values.size(); ++v) {
      const Value& value = graph_.values[v];
      const std::string what = id("value", v);
      WEFT_CHECK_OK(type(value.type, what));
      if (value.kind > ValueKind::result) return bad(what, "a known kind", "none");
      if (value.index < 0) return bad(what, "an index of 0 or more", std::to_string(value.index));
      if (value.kind != ValueKind::result) {
        if (value.name.empty()) return bad(what, "a name", "none");
        if (!sources.insert({value.kind, value.index}).second) {
          return bad(what, "each port, weight, constant and state once", "'" + value.name + "' again");
        }
      }
      if (!value.name.empty() && !names.insert(value.name).second) {
        return bad(what, "names that are unique", "'" + value.name + "' again");
      }
    }
    return {};
  }

  Status ports() {
    std::set<std::string> names;
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      const Port& port = graph_.inputs[i];
      if (!in_range(port.value) || !names.insert(port.name).second) {
        return bad(id("input", i), "a value of the graph and a name of its own", "'" + port.name + "'");
      }
      const Value& value = graph_.values[port.value];
      if (value.kind != ValueKind::input || value.index != static_cast<int32_t>(i)) {
        return bad("input '" + port.name + "'", "an input value of that port", id("value", port.value));
      }
    }
    names.clear();
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      const Port& port = graph_.outputs[i];
      if (!in_range(port.value) || port.name.empty() || !names.insert(port.name).second) {
        return bad(id("output", i), "a value of the graph and a name of its own", "'" + port.name + "'");
      }
    }
    for (const Value& value : graph_.values) {
      if (value.kind == ValueKind::input && value.index >= static_cast<int32_t>(graph_.inputs.size())) {
        return bad("value '" + value.name + "'", "an input port", "none");
      }
    }
    return {};
  }

  Status nodes() {
    std::vector<bool> made(graph_.values.size(), false);
    for (size_t v = 0; v < made.size(); ++v) made[v] = graph_.values[v].kind != ValueKind::result;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (static_cast<int>(node.op) >= kOpCount) return bad(id("node", n), "a known op", "none");
      const OpInfo& op = op_info(node.op);
      const std::string what = id("node", n) + " (" + std::string(op.name) + ")";
      if (static_cast<int>(node.outputs.size()) != op.outputs) {
        return bad(what, std::to_string(op.outputs) + " results", std::to_string(node.outputs.size()));
      }
      for (ValueId v : node.inputs) {
        if (v == kNoValue) continue;  // infer_types knows whether it may be absent
        if (!in_range(v)) return bad(what, "inputs of the graph", id("value", static_cast<size_t>(v)));
        if (!made[v]) return bad(what, "inputs made by earlier nodes", id("value", v));
      }
      std::vector<ValueType> types;
      for (ValueId v : node.outputs) {
        if (!in_range(v) || made[v]) return bad(what, "results that no other node makes", id("value", v));
        if (graph_.values[v].index != static_cast<int32_t>(n)) {
          return bad(what, "results that name it as their maker", id("value", v));
        }
        made[v] = true;
        types.push_back(graph_.values[v].type);
      }
      WEFT_CHECK_OK(infer_types(graph_, node, types));
    }
    for (size_t v = 0; v < made.size(); ++v) {
      if (!made[v]) return bad(id("value", v), "a node that makes it", "none");
    }
    for (const Port& port : graph_.outputs) {
      if (!made[port.value]) return bad("output '" + port.name + "'", "a value that is made", "none");
    }
    return {};
  }

  // A write changes the state in place: afterwards only the newest version exists.
  Status states() {
    std::vector<int32_t> state(graph_.values.size(), -1);
    for (size_t v = 0; v < state.size(); ++v) {
      if (graph_.values[v].kind == ValueKind::state) state[v] = static_cast<int32_t>(v);
    }
    std::vector<bool> stale(graph_.values.size(), false);
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const std::string what = id("node", n) + " (" + std::string(op_name(node.op)) + ")";
      const auto writes = state_writes(node.op);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId v = node.inputs[i];
        if (v == kNoValue || state[v] < 0) continue;
        if (stale[v]) return bad(what, "the newest version of a state", "one that was overwritten");
        const bool reads = node.op == Op::attention && (i == 1 || i == 2);
        const bool written = std::any_of(writes.begin(), writes.end(),
                                         [&](const StateWrite& w) { return w.input == static_cast<int>(i); });
        if (!reads && !written) return bad(what, "no state as input " + std::to_string(i), "a state");
      }
      for (const auto& [input, result] : writes) {
        const ValueId v = node.inputs[input];
        if (state[v] < 0) return bad(what, "a state as input " + std::to_string(input), "an ordinary value");
        if (stale[v]) return bad(what, "each state once", "one twice");
        stale[v] = true;
        state[node.outputs[result]] = state[v];
      }
    }
    for (const Port& port : graph_.outputs) {
      if (stale[port.value]) return bad("output '" + port.name + "'", "the newest version of a state", "an older one");
    }
    return {};
  }

  const Graph& graph_;
};

}  // namespace

Status verify(const Graph& graph) { return Verifier(graph).run(); }

}  // namespace weft
