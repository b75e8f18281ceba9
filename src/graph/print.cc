// The stable text form: the same graph gives the same bytes everywhere.
#include <cstdio>

#include "graph/graph.h"

namespace weft {
namespace {

std::string number(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string type_text(const Graph& graph, const ValueType& type) {
  const bool known = static_cast<int>(type.dtype) < kDTypeCount;  // graphs that do not verify are printed too
  return (known ? std::string(name(type.dtype)) : "?") + to_string(graph, type.shape);
}

}  // namespace

std::string to_string(const Graph& graph, const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank && i < kMaxRank; ++i) {
    if (i) text += ", ";
    const Dim& dim = shape[i];
    if (dim.symbol == kNoSymbol) {
      text += std::to_string(dim.count);
    } else {
      if (dim.count != 1) text += std::to_string(dim.count) + "*";
      const bool known = dim.symbol >= 0 && dim.symbol < static_cast<SymbolId>(graph.symbols.size());
      text += known ? graph.symbols[dim.symbol] : "?";
    }
  }
  return text + "]";
}

std::string to_string(const Attrs& attrs) {
  const Attrs plain;
  std::string text;
  auto field = [&](std::string_view key, const std::string& value) {
    text += (text.empty() ? " {" : ", ") + std::string(key) + "=" + value;
  };
  if (attrs.eps != plain.eps) field("eps", number(attrs.eps));
  if (attrs.scale != plain.scale) field("scale", number(attrs.scale));
  if (attrs.cap != plain.cap) field("cap", number(attrs.cap));
  if (attrs.window != plain.window) field("window", std::to_string(attrs.window));
  if (attrs.causal != plain.causal) field("causal", attrs.causal ? "true" : "false");
  if (attrs.act != plain.act) field("act", std::string(activation_name(attrs.act)));
  if (attrs.quantized) field("quantized", "true");
  if (attrs.sections != plain.sections) {
    const auto& s = attrs.sections;
    field("sections", std::to_string(s[0]) + "/" + std::to_string(s[1]) + "/" + std::to_string(s[2]));
  }
  return text.empty() ? text : text + "}";
}

std::vector<std::string> value_texts(const Graph& graph) {
  std::vector<std::string> texts(graph.values.size(), "%?");
  for (size_t v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    switch (value.kind) {
      case ValueKind::input:
        texts[v] = "in:" + value.name;
        break;
      case ValueKind::weight:
        texts[v] = "w:" + value.name;
        break;
      case ValueKind::constant:
        texts[v] = "c:" + value.name;
        break;
      case ValueKind::state:
        texts[v] = "s:" + value.name;
        break;
      case ValueKind::result:
        break;
    }
  }
  int next = 0;
  for (const Node& node : graph.nodes) {
    for (ValueId v : node.outputs) {
      if (v >= 0 && v < static_cast<ValueId>(texts.size())) texts[v] = "%" + std::to_string(next++);
    }
  }
  return texts;
}

std::string to_string(const Graph& graph) {
  const std::vector<std::string> texts = value_texts(graph);
  auto operand = [&](ValueId v) {
    if (v == kNoValue) return std::string("-");
    return v >= 0 && v < static_cast<ValueId>(texts.size()) ? texts[v] : std::string("%!");
  };
  auto type = [&](ValueId v) {
    return v >= 0 && v < static_cast<ValueId>(texts.size()) ? type_text(graph, graph.type(v)) : std::string("?");
  };
  std::string text = "graph " + graph.name + "\n";
  for (const Port& port : graph.inputs) text += "input " + port.name + " : " + type(port.value) + "\n";
  for (const Value& value : graph.values) {
    if (value.kind == ValueKind::state) text += "state " + value.name + " : " + type_text(graph, value.type) + "\n";
  }
  for (const Node& node : graph.nodes) {
    std::string outputs, inputs, types, names;
    for (ValueId v : node.outputs) {
      outputs += (outputs.empty() ? "" : ", ") + operand(v);
      types += (types.empty() ? "" : ", ") + type(v);
      const bool known = v >= 0 && v < static_cast<ValueId>(texts.size());
      if (known && !graph.values[v].name.empty()) names += (names.empty() ? "  # " : ", ") + graph.values[v].name;
    }
    for (ValueId v : node.inputs) inputs += (inputs.empty() ? "" : ", ") + operand(v);
    const bool known_op = static_cast<int>(node.op) < kOpCount;
    text += outputs + " = " + (known_op ? std::string(op_name(node.op)) : "?") + "(" + inputs + ")" +
            to_string(node.attrs) + " : " + types + names + "\n";
  }
  for (const Port& port : graph.outputs) text += "output " + port.name + " = " + operand(port.value) + "\n";
  return text;
}

}  // namespace weft
