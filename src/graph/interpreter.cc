#include "graph/interpreter.h"

namespace weft {
namespace {

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

constexpr int64_t kMaxElements = int64_t{1} << 36;

// Sizes of one run: what each symbol of the graph stands for.
class Sizes {
 public:
  explicit Sizes(const Graph& graph) : graph_(graph), sizes_(graph.symbols.size(), -1) {}

  Status bind(const std::string& where, const Shape& shape, std::span<const int64_t> actual) {
    bool same = static_cast<int>(actual.size()) == shape.rank;
    for (int i = 0; same && i < shape.rank; ++i) {
      const Dim& dim = shape[i];
      if (dim.symbol == kNoSymbol) {
        same = actual[i] == dim.count;
      } else if (sizes_[dim.symbol] < 0) {
        same = actual[i] >= 0 && actual[i] % dim.count == 0;
        sizes_[dim.symbol] = actual[i] / dim.count;
      } else {
        same = actual[i] == dim.count * sizes_[dim.symbol];
      }
    }
    if (same) return {};
    std::string bound;
    for (size_t s = 0; s < sizes_.size(); ++s) {
      if (sizes_[s] >= 0) bound += (bound.empty() ? "" : ", ") + graph_.symbols[s] + "=" + std::to_string(sizes_[s]);
    }
    return fail(Code::wrong_shape, where, "shape", to_string(graph_, shape) + (bound.empty() ? "" : " with " + bound),
                shape_text(actual));
  }

  Status bind_symbol(const std::string& name, int64_t size) {
    const SymbolId s = graph_.symbol(name);
    if (s == kNoSymbol) return {};
    return bind(graph_.name, Shape{Dim{1, s}}, std::span(&size, 1));
  }

  Result<std::vector<int64_t>> shape(const Shape& shape) const {
    std::vector<int64_t> out;
    int64_t elements = 1;
    for (int i = 0; i < shape.rank; ++i) {
      const Dim& dim = shape[i];
      int64_t size = dim.count;
      if (dim.symbol != kNoSymbol) {
        if (sizes_[dim.symbol] < 0) {
          return fail(Code::invalid_argument, "graph '" + graph_.name + "'",
                      "symbol '" + graph_.symbols[dim.symbol] + "'", "a size from an input or state", "none");
        }
        if (sizes_[dim.symbol] > kMaxElements / dim.count)
          size = kMaxElements + 1;
        else
          size *= sizes_[dim.symbol];
      }
      if (size > 0 && elements > kMaxElements / size) {
        return fail(Code::limit, "graph '" + graph_.name + "'", "elements of one value", "at most 2^36",
                    to_string(graph_, shape));
      }
      elements *= size;
      out.push_back(size);
    }
    return out;
  }

 private:
  const Graph& graph_;
  std::vector<int64_t> sizes_;
};

HostTensor make_tensor(std::vector<int64_t> shape, bool is_i32) {
  HostTensor t{.shape = std::move(shape), .is_i32 = is_i32};
  const auto n = static_cast<size_t>(t.elements());
  if (is_i32) {
    t.i32.resize(n);
  } else {
    t.f32.resize(n);
  }
  return t;
}

bool well_formed(const HostTensor& t) {
  for (int64_t size : t.shape) {
    if (size < 0 || size > kMaxElements) return false;
  }
  return static_cast<int64_t>(t.is_i32 ? t.i32.size() : t.f32.size()) == t.elements();
}

// Numbers that choose a row: checked here once, so that the references (and kernels after them) need not.
Status check_indices(const std::string& where, const HostTensor& indices, int64_t size) {
  for (int32_t i : indices.i32) {
    if (i < 0 || i >= size) {
      return fail(Code::invalid_argument, where, "index", "0 to " + std::to_string(size - 1), std::to_string(i));
    }
  }
  return {};
}

Status check_node_indices(const Node& node, std::span<const HostTensor* const> in) {
  const std::string where(op_name(node.op));
  switch (node.op) {
    case Op::embedding:
      return check_indices(where + " ids", *in[0], in[1]->shape[0]);
    case Op::gather_rows:
      return check_indices(where + " rows", *in[1], in[0]->shape[0]);
    case Op::linear_recurrence:
      return check_indices(where + " slots", *in[3], in[0]->shape[0]);
    case Op::kv_write:
      WEFT_CHECK_OK(check_indices(where + " slots", *in[2], in[0]->shape[0]));
      return check_indices(where + " cells", *in[3], in[0]->shape[2]);
    case Op::attention:
      if (!in[3]) return {};
      WEFT_CHECK_OK(check_indices(where + " slots", *in[3], in[1]->shape[0]));
      return check_indices(where + " cells", *in[4], in[1]->shape[2]);
    default:
      return {};
  }
}

}  // namespace

int64_t HostTensor::elements() const {
  int64_t n = 1;
  for (int64_t size : shape) n *= size;
  return n;
}

Interpreter::Interpreter(const Model& model, const RefTable& table, std::function<HostTensor(int)> weight)
    : model_(model), table_(table), load_weight_(std::move(weight)) {}

void Interpreter::reset_states(const std::map<std::string, int64_t>& symbols) {
  state_symbols_ = symbols;
  states_.clear();
  for (const StateDecl& state : model_.states) {
    std::vector<int64_t> shape;
    for (int i = 0; i < state.shape.rank; ++i) {
      const Dim& dim = state.shape[i];
      if (dim.symbol == kNoSymbol) {
        shape.push_back(dim.count);
      } else {
        const auto bound = symbols.find(model_.state_symbols[dim.symbol]);
        shape.push_back(bound == symbols.end() ? 0 : dim.count * bound->second);
      }
    }
    states_.push_back(make_tensor(std::move(shape), false));
  }
}

Result<const HostTensor*> Interpreter::source(const Value& value) {
  const auto i = static_cast<size_t>(value.index);
  auto bad = [&](const char* what, size_t count) {
    return fail(Code::wrong_shape, value.name, what, "one of the model's " + std::to_string(count), std::to_string(i));
  };
  if (value.kind == ValueKind::state) {
    if (i >= states_.size()) return bad("state (after reset_states)", states_.size());
    return &states_[i];
  }
  if (value.kind == ValueKind::constant) {
    if (i >= model_.constants.size()) return bad("constant", model_.constants.size());
    auto [it, added] = constants_.try_emplace(value.index);
    if (added) it->second = {.shape = model_.constants[i].shape, .f32 = model_.constants[i].data};
    return &it->second;
  }
  if (i >= model_.weights.size()) return bad("weight", model_.weights.size());
  auto [it, added] = weights_.try_emplace(value.index);
  if (added) it->second = load_weight_(value.index);
  return &it->second;
}

Result<std::map<std::string, HostTensor>> Interpreter::run(
    const Graph& graph, const std::map<std::string, HostTensor>& inputs,
    const std::function<void(const std::string&, const HostTensor&)>& tap) {
  WEFT_CHECK_OK(verify(graph));
  Sizes sizes(graph);
  std::vector<const HostTensor*> values(graph.values.size(), nullptr);
  std::vector<HostTensor> made(graph.values.size());

  for (const Port& port : graph.inputs) {
    const auto given = inputs.find(port.name);
    const std::string where = "input '" + port.name + "'";
    if (given == inputs.end()) return fail(Code::invalid_argument, where, "value", "one", "none");
    const HostTensor& t = given->second;
    const bool wants_i32 = graph.type(port.value).dtype == DType::i32;
    if (!well_formed(t) || t.is_i32 != wants_i32) {
      return fail(Code::invalid_argument, where, "elements",
                  wants_i32 ? "i32, as many as the shape says" : "f32, as many as the shape says",
                  shape_text(t.shape) + (t.is_i32 ? " of i32" : " of f32"));
    }
    WEFT_CHECK_OK(sizes.bind(where, graph.type(port.value).shape, t.shape));
    values[port.value] = &t;
  }
  for (const auto& [symbol, size] : state_symbols_) WEFT_CHECK_OK(sizes.bind_symbol(symbol, size));
  for (size_t v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    if (value.kind == ValueKind::input || value.kind == ValueKind::result) continue;
    WEFT_TRY(values[v], source(value));
    if (!well_formed(*values[v])) {
      return fail(Code::wrong_shape, value.name, "elements", shape_text(values[v]->shape),
                  std::to_string(values[v]->f32.size()));
    }
    WEFT_CHECK_OK(sizes.bind("'" + value.name + "'", value.type.shape, values[v]->shape));
  }

  const std::vector<int32_t> state_of = state_of_values(graph);
  for (const Node& node : graph.nodes) {
    std::vector<const HostTensor*> in;
    for (ValueId v : node.inputs) in.push_back(v == kNoValue ? nullptr : values[v]);
    WEFT_CHECK_OK(check_node_indices(node, in));
    std::vector<HostTensor> out;
    for (ValueId v : node.outputs) {
      WEFT_TRY(auto shape, sizes.shape(graph.type(v).shape));
      out.push_back(make_tensor(std::move(shape), graph.type(v).dtype == DType::i32));
    }
    if (node.op == Op::view) {
      out[0].f32 = in[0]->f32;
      out[0].i32 = in[0]->i32;
    } else if (RefFunction ref = table_[static_cast<size_t>(node.op)]) {
      ref({graph, node, in, out});
    } else {
      return fail(Code::unsupported, std::string(op_name(node.op)), "reference", "one", "none");
    }
    for (size_t i = 0; i < out.size(); ++i) {
      const ValueId v = node.outputs[i];
      if (state_of[v] >= 0) {  // written in place: earlier versions are never read again
        states_[state_of[v]] = std::move(out[i]);
        values[v] = &states_[state_of[v]];
      } else {
        made[v] = std::move(out[i]);
        values[v] = &made[v];
      }
      if (tap && !graph.values[v].name.empty()) tap(graph.values[v].name, *values[v]);
    }
  }

  std::map<std::string, HostTensor> outputs;
  for (const Port& port : graph.outputs) outputs[port.name] = *values[port.value];
  return outputs;
}

}  // namespace weft
