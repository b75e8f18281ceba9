// The living definition: runs a graph node by node with the plain reference of each op, in float. Slow and obvious;
// every kernel, pass and device is judged against it.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <span>

#include "graph/model.h"

namespace weft {

// A dense tensor of floats (or of integers held exactly in floats is NOT allowed: i32 has its own vector).
struct HostTensor {
  std::vector<int64_t> shape;
  std::vector<float> f32;
  std::vector<int32_t> i32;  // used when dtype is i32
  bool is_i32 = false;
  int64_t elements() const;
};

// One reference function an op; src/ops fills the table.
struct RefCall {
  const Graph& graph;
  const Node& node;
  std::span<const HostTensor* const> in;  // nullptr where an optional input is absent; states: current contents
  std::span<HostTensor> out;              // shapes set; states: to be filled with the new contents
};
using RefFunction = void (*)(const RefCall&);
using RefTable = std::array<RefFunction, kOpCount>;

class Interpreter {
 public:
  // `weight(i)` gives Model::weights[i] dequantised; called at most once a weight.
  Interpreter(const Model& model, const RefTable& table, std::function<HostTensor(int)> weight);

  // Binds the symbols of the states (N, S), zero-fills them.
  void reset_states(const std::map<std::string, int64_t>& symbols);
  HostTensor& state(int index) { return states_[index]; }

  // Symbols are bound from the shapes of the inputs (T, R, E …) and of the states. `tap` sees every named result.
  // Errors: a graph that does not verify, a missing or misshapen input, an id, slot, cell or row out of range. States
  // of f16 or q8_0 hold what that type can hold; activations of i8_32 are the floats they stand for.
  Result<std::map<std::string, HostTensor>> run(
      const Graph& graph, const std::map<std::string, HostTensor>& inputs,
      const std::function<void(const std::string&, const HostTensor&)>& tap = {});

 private:
  Result<const HostTensor*> source(const Value& value);  // of a weight, constant or state

  const Model& model_;
  const RefTable& table_;
  std::function<HostTensor(int)> load_weight_;
  std::map<int, HostTensor> weights_, constants_;
  std::vector<HostTensor> states_;
  std::map<std::string, int64_t> state_symbols_;
};

}  // namespace weft
