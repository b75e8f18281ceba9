// The graph: values and the nodes that make them, one graph per entry point of a model ("decode", "encode", …).
// Built with builder.h, read by passes, planner and interpreter. Value type: copying a graph copies everything.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace weft {

// Symbolic sizes, known when a plan is made (their largest) and run (their actual). The list is open: a graph names its
// own.
using SymbolId = int32_t;  // index into Graph::symbols, -1: none
inline constexpr SymbolId kNoSymbol = -1;

// count, or count * symbol.
struct Dim {
  int64_t count = 1;
  SymbolId symbol = kNoSymbol;
  bool operator==(const Dim&) const = default;
};

inline constexpr int kMaxRank = 4;
struct Shape {
  int rank = 0;
  std::array<Dim, kMaxRank> dims{};  // outermost first
  Shape() = default;
  Shape(std::initializer_list<Dim> list);
  const Dim& operator[](int i) const { return dims[i]; }
  const Dim& back() const { return dims[rank - 1]; }
  bool operator==(const Shape&) const;
};

struct ValueType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const ValueType&) const = default;
};

using ValueId = int32_t;  // index into Graph::values, -1: an optional input that is absent
inline constexpr ValueId kNoValue = -1;

enum class ValueKind : uint8_t { input, weight, constant, state, result };

struct Value {
  ValueType type;
  ValueKind kind = ValueKind::result;
  // Of a result: its tap name ("layers.0.self_attn.q_proj"), empty if it has none. Else the name of the port, weight,
  // constant or state. Unique in the graph.
  std::string name;
  int32_t index = 0;  // weight, constant or state: index in Model; input: port index; result: producing node
};

enum class Op : uint8_t {
  // result(s)                                     inputs
  embedding,  // x [T, C]                  ids [T] i32, table [V, C] (any weight type)
  rms_norm,   // y, as x                   x [.., C], weight [C]; eps
  linear,     // y [T, N]                  x [T, K] f32 or i8_32, weight [N, K], bias [N] or none
  rope,  // y [T, H, D]               x [T, H, D], positions [T, A] i32, inv_freq [D'/2] f32 (D' <= D rotates, halves
         // apart); scale, sections
  kv_write,   // state                     state [N, K, S, D], x [T, K, D], slots [T] i32, cells [T] i32
  attention,  // y [T, H, D]               q [T, H, D], k, v: states [N, K, S, D] or plain [E, K, D], slots, cells (none
              // with plain k, v); scale, window, cap, causal
  add,        // a + b                     a, b of one shape
  mul,        // a * b                     a, b of one shape
  activation,         // act(x)                    x; act
  scale,              // x * scale                 x; scale
  softcap,            // cap * tanh(x / cap)       x; cap
  gather_rows,        // y [R, C]                  x [T, C], rows [R] i32
  view,               // x with the result's shape x (same elements, no copy)
  linear_recurrence,  // y [T, C], state           state [N, C], a [T, C], b [T, C], slots [T]: h = a*h + b by row, per
                      // slot in row order
  // Fused ops: each has an expand() in src/ops that says what it means in the ops above.
  quantize_rows,      // y i8_32 [T, K]            x [T, K]
  gated_activation,   // act(gate) * up            gate [T, F], up [T, F]; act
  linear_add,         // x @ w + residual          x, weight, bias or none, residual [T, N]
  add_rms_norm,       // sum, norm(sum)            a, b, weight; eps
  norm_linear,        // norm(x) @ w               x [T, C], norm weight [C], weight [N, C], bias [N] or none; eps
  norm_gated_linear,  // act(norm(x) @ gate) * (norm(x) @ up)   x [T, C], norm weight [C], gate [F, C], up [F, C]; eps,
                      // act
  norm_qkv,  // q [T, H, D], k_cache, v_cache: projections of norm(x), q and k normalised (or not) and rotated, k and v
             // written. k_cache, v_cache [N, K, S, D], x [T, C], norm weight [C], q weight [H*D, C], bias or none,
             // k weight [K*D, C], bias or none, v weight [K*D, C], bias or none, q norm [D], k norm [D] (both or none),
             // inv_freq, positions, slots, cells; eps, scale (of rope), sections
};
inline constexpr int kOpCount = static_cast<int>(Op::norm_qkv) + 1;
std::string_view op_name(Op op);

// A node lists all inputs of its op: kNoValue stands where an optional one (a bit of the mask) is absent.
struct OpInfo {
  std::string_view name;
  int inputs = 0;
  uint32_t optional = 0;
  int outputs = 1;
};
const OpInfo& op_info(Op op);

enum class Activation : uint8_t { silu, gelu, gelu_tanh, relu };
std::string_view activation_name(Activation act);

// One struct for all ops; each op reads the fields its row above names, the printer shows those that differ from here.
struct Attrs {
  float eps = 0;
  float scale = 1;
  float cap = 0;       // 0: none
  int64_t window = 0;  // keys further back than window - 1 cells are not seen; 0: all
  bool causal = true;  // attention over states: keys with cell <= the query's cell
  Activation act = Activation::silu;
  // linear, linear_add, norm_*: the rows that matrices multiply are rounded as by quantize_rows first.
  bool quantized = false;
  std::array<int32_t, 3>
      sections{};  // rope with A = 3: how many frequencies follow each axis; zeros: all follow axis 0
  bool operator==(const Attrs&) const = default;
};

struct Node {
  Op op;
  Attrs attrs;
  std::vector<ValueId> inputs;  // kNoValue where an optional input is absent
  std::vector<ValueId> outputs;
};

struct Port {
  std::string name;  // "ids", "positions", "logits" …
  ValueId value = kNoValue;
};

int port_index(std::span<const Port> ports, std::string_view name);  // -1 if there is none

struct Graph {
  std::string name;
  std::vector<std::string> symbols;  // "T", "S", "N", "R" …
  std::vector<Value> values;
  std::vector<Node> nodes;  // in execution order: a node comes after the nodes that make its inputs
  std::vector<Port> inputs, outputs;

  const ValueType& type(ValueId id) const { return values[id].type; }
  SymbolId symbol(std::string_view name) const;     // kNoSymbol if the graph does not use it
  ValueId find_value(std::string_view name) const;  // by tap name; kNoValue if none
  const Port* input(std::string_view name) const;
  const Port* output(std::string_view name) const;
};

// Which results of an op are the new contents of which inputs, states. The result shares the state's storage, so nobody
// may read an earlier version after the write.
struct StateWrite {
  int input, result;
};
std::span<const StateWrite> state_writes(Op op);
// By value: the state (index in Model) that it is a version of, or -1. The graph must be verified.
std::vector<int32_t> state_of_values(const Graph& graph);

std::string to_string(const Graph& graph, const Shape& shape);
// By value, how the printers write it as an operand: "%12" (results, in execution order), "in:ids",
// "w:model.norm.weight", "c:rope.inv_freq", "s:layers.0.self_attn.k_cache".
std::vector<std::string> value_texts(const Graph& graph);
// " {eps=1e-05}": the attributes that differ from the defaults, or nothing.
std::string to_string(const Attrs& attrs);
std::string to_string(const Graph& graph);  // the stable text form, a line a node

// What the types of a node's results must be, given its inputs; wrong_shape names the op and both sides.
// `out` holds the shapes wanted where an op cannot derive them (view, linear over states …) and is checked or filled.
Status infer_types(const Graph& graph, const Node& node, std::vector<ValueType>& out);

// Everything that must hold of a graph: order, types, unique names, states written and read in one chain, ports.
// Run after building and after every pass.
Status verify(const Graph& graph);

}  // namespace weft
