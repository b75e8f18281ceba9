#include "graph/builder.h"

#include <algorithm>

namespace weft {

GraphBuilder::GraphBuilder(Model& model, std::string graph_name) : model_(model) {
  graph_.name = std::move(graph_name);
}

Dim GraphBuilder::symbol(std::string_view name) {
  SymbolId id = graph_.symbol(name);
  if (id == kNoSymbol) {
    id = static_cast<SymbolId>(graph_.symbols.size());
    graph_.symbols.emplace_back(name);
  }
  return {1, id};
}

void GraphBuilder::fail_with(Error error) {
  if (status_) status_ = std::unexpected(std::move(error));
}

ValueId GraphBuilder::value(ValueKind kind, std::string name, int32_t index, ValueType type) {
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const Value& old = graph_.values[v];
    if (old.kind == kind && old.index == index) return static_cast<ValueId>(v);
  }
  graph_.values.push_back({type, kind, std::move(name), index});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId GraphBuilder::input(std::string port, DType dtype, Shape shape) {
  const auto index = static_cast<int32_t>(graph_.inputs.size());
  const ValueId v = value(ValueKind::input, port, index, {dtype, shape});
  graph_.inputs.push_back({std::move(port), v});
  return v;
}

namespace {

template <class Decl>
int32_t find_or_add(std::vector<Decl>& list, Decl decl) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].name == decl.name) return static_cast<int32_t>(i);
  }
  list.push_back(std::move(decl));
  return static_cast<int32_t>(list.size() - 1);
}

std::string sizes_text(const std::vector<int64_t>& sizes) {
  std::string text = "[";
  for (size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
  return text + "]";
}

}  // namespace

Shape GraphBuilder::fixed_shape(const std::string& name, const std::vector<int64_t>& sizes) {
  Shape shape;
  if (sizes.size() > kMaxRank) {
    fail_with({Code::wrong_shape, name, "rank", "0 to 4", std::to_string(sizes.size())});
    return shape;
  }
  for (int64_t size : sizes) shape.dims[shape.rank++] = {size};
  return shape;
}

ValueId GraphBuilder::weight(const std::string& hf_name, DType dtype, std::vector<int64_t> shape) {
  const Shape type = fixed_shape(hf_name, shape);
  const int32_t index = find_or_add(model_.weights, {hf_name, dtype, shape});
  const WeightDecl& decl = model_.weights[index];
  if (decl.dtype != dtype || decl.shape != shape) {
    fail_with({Code::wrong_shape, hf_name, "declared again", sizes_text(decl.shape), sizes_text(shape)});
  }
  return value(ValueKind::weight, hf_name, index, {dtype, type});
}

ValueId GraphBuilder::constant(const std::string& name, std::vector<int64_t> shape, std::vector<float> data) {
  const Shape type = fixed_shape(name, shape);
  int64_t elements = 1;
  for (int64_t size : shape) elements *= size;
  if (elements != static_cast<int64_t>(data.size())) {
    fail_with({Code::wrong_shape, name, "elements", std::to_string(elements), std::to_string(data.size())});
  }
  const size_t before = model_.constants.size();
  const int32_t index = find_or_add(model_.constants, {name, shape, data});
  if (model_.constants.size() == before &&
      (model_.constants[index].shape != shape || model_.constants[index].data != data)) {
    fail_with({Code::wrong_shape, name, "declared again", "the same constant", "another"});
  }
  return value(ValueKind::constant, name, index, {DType::f32, type});
}

ValueId GraphBuilder::state(const std::string& name, DType dtype, Shape shape, Rollback rollback) {
  StateDecl decl{name, dtype, shape, rollback};
  for (int i = 0; i < shape.rank; ++i) {  // from the graph's symbols to the model's
    if (shape[i].symbol == kNoSymbol) continue;
    const std::string& symbol = graph_.symbols[shape[i].symbol];
    auto& known = model_.state_symbols;
    const auto at = std::find(known.begin(), known.end(), symbol);
    decl.shape.dims[i].symbol = static_cast<SymbolId>(at - known.begin());
    if (at == known.end()) known.push_back(symbol);
  }
  const int32_t index = find_or_add(model_.states, decl);
  const StateDecl& old = model_.states[index];
  if (old.dtype != dtype || old.shape != decl.shape || old.rollback != rollback) {
    fail_with({Code::wrong_shape, name, "declared again", "the same state", "another"});
  }
  return value(ValueKind::state, name, index, {dtype, shape});
}

void GraphBuilder::output(std::string port, ValueId value) { graph_.outputs.push_back({std::move(port), value}); }

ValueId GraphBuilder::name(ValueId value, std::string tap) {
  if (!status_) return value;
  if (value < 0 || value >= static_cast<ValueId>(graph_.values.size()) ||
      graph_.values[value].kind != ValueKind::result || !graph_.values[value].name.empty()) {
    fail_with({Code::wrong_shape, tap, "value to name", "a result without a name", "value " + std::to_string(value)});
    return value;
  }
  graph_.values[value].name = std::move(tap);
  return value;
}

ValueId GraphBuilder::node(Op op, std::vector<ValueId> inputs, Attrs attrs, std::vector<ValueType> wanted) {
  const auto first = static_cast<ValueId>(graph_.values.size());
  if (!status_) return 0;
  Node node{op, attrs, std::move(inputs), {}};
  if (Status status = infer_types(graph_, node, wanted); !status) {
    fail_with(std::move(status).error());
    return 0;
  }
  for (const ValueType& type : wanted) {
    node.outputs.push_back(static_cast<ValueId>(graph_.values.size()));
    graph_.values.push_back({type, ValueKind::result, {}, static_cast<int32_t>(graph_.nodes.size())});
  }
  graph_.nodes.push_back(std::move(node));
  return first;
}

ValueId GraphBuilder::embedding(ValueId ids, ValueId table) { return node(Op::embedding, {ids, table}); }
ValueId GraphBuilder::rms_norm(ValueId x, ValueId weight, float eps) {
  return node(Op::rms_norm, {x, weight}, {.eps = eps});
}
ValueId GraphBuilder::linear(ValueId x, ValueId weight, ValueId bias) { return node(Op::linear, {x, weight, bias}); }
ValueId GraphBuilder::rope(ValueId x, ValueId positions, ValueId inv_freq, float scale,
                           std::array<int32_t, 3> sections) {
  return node(Op::rope, {x, positions, inv_freq}, {.scale = scale, .sections = sections});
}
ValueId GraphBuilder::kv_write(ValueId state, ValueId x, ValueId slots, ValueId cells) {
  return node(Op::kv_write, {state, x, slots, cells});
}
ValueId GraphBuilder::attention(ValueId q, ValueId k, ValueId v, ValueId slots, ValueId cells,
                                AttentionOptions options) {
  return node(Op::attention, {q, k, v, slots, cells},
              {.scale = options.scale, .cap = options.cap, .window = options.window, .causal = options.causal});
}
ValueId GraphBuilder::add(ValueId a, ValueId b) { return node(Op::add, {a, b}); }
ValueId GraphBuilder::mul(ValueId a, ValueId b) { return node(Op::mul, {a, b}); }
ValueId GraphBuilder::activation(ValueId x, Activation act) { return node(Op::activation, {x}, {.act = act}); }
ValueId GraphBuilder::scale(ValueId x, float factor) { return node(Op::scale, {x}, {.scale = factor}); }
ValueId GraphBuilder::softcap(ValueId x, float cap) { return node(Op::softcap, {x}, {.cap = cap}); }
ValueId GraphBuilder::gather_rows(ValueId x, ValueId rows) { return node(Op::gather_rows, {x, rows}); }
ValueId GraphBuilder::view(ValueId x, Shape shape) {
  const bool known = x >= 0 && x < static_cast<ValueId>(graph_.values.size());
  return node(Op::view, {x}, {}, {{known ? graph_.type(x).dtype : DType::f32, shape}});
}
std::pair<ValueId, ValueId> GraphBuilder::linear_recurrence(ValueId state, ValueId a, ValueId b, ValueId slots) {
  const ValueId y = node(Op::linear_recurrence, {state, a, b, slots});
  return {y, status_ ? y + 1 : 0};
}

Status GraphBuilder::finish() {
  if (!status_) return status_;
  WEFT_CHECK_OK(verify(graph_));
  if (model_.graph(graph_.name)) {
    return fail(Code::invalid_argument, model_.architecture, "graph", "a new name", "'" + graph_.name + "' again");
  }
  model_.graphs.push_back(std::move(graph_));
  return {};
}

}  // namespace weft
