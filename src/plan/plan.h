// A plan: what a device executes for one graph and one range of sizes. Pure data, printed by `weft inspect
// --dump=plan`; the same bytes for the same graph, bounds and caps on every host.
#pragma once

#include "ops/gpu_kernel.h"

namespace weft {

// Where an operand lives. Arena offsets are shared by values whose lives do not overlap.
struct Place {
  enum class Space : uint8_t { none, arena, input, output, weight, constant, state } space = Space::none;
  int32_t index = 0;   // port, weight, constant or state
  int64_t offset = 0;  // arena only
};

struct Operand {
  ValueId value = kNoValue;
  Place place;
};

struct Step {
  const Kernel* kernel = nullptr;
  int32_t node = 0;  // index in Plan::graph
  std::vector<Operand> in, out;
  // WebGPU: the chosen variant and its dispatches, and where in the arena each of their scratch memories lies.
  int variant = 0;
  GpuLowering gpu;
  std::vector<int64_t> scratch_offsets;
};

struct Plan {
  Graph graph;  // after passes; steps refer to its nodes (views have no step)
  Caps caps;
  std::vector<int64_t> bounds;        // the largest size of each symbol, by SymbolId
  std::vector<WeightLayout> layouts;  // by weight index in Model
  std::vector<Step> steps;
  int64_t arena_bytes = 0;
  int64_t scratch_bytes = 0;
  int64_t peak_values = 0;  // values alive at once, for the printer
};

struct PlanOptions {
  std::vector<std::pair<std::string, int64_t>> bounds;  // T, S, N, R …: all symbols of the graph
};

// Where the integer input ports lie in the step buffer of a WebGPU plan, by port; -1 for others. `words`: of the
// buffer.
std::vector<int64_t> port_words(const Graph& graph, std::span<const int64_t> bounds, int64_t* words);
// Operands of ops whose elements index an axis of another operand: what comes from outside must be below that axis's
// size.
struct IndexInput {
  Op op;
  int input, target, axis;
};
inline constexpr IndexInput kIndexInputs[] = {
    {Op::embedding, 0, 1, 0}, {Op::gather_rows, 1, 0, 0}, {Op::kv_write, 2, 0, 0},
    {Op::kv_write, 3, 0, 2},  {Op::attention, 3, 1, 0},   {Op::attention, 4, 1, 2},
    {Op::norm_qkv, 14, 0, 0}, {Op::norm_qkv, 15, 0, 2},   {Op::linear_recurrence, 3, 0, 0}};
// The input ports among them, and what their elements must be below.
struct IndexPort {
  int port;
  Dim limit;
};
std::vector<IndexPort> index_ports(const Graph& graph);
// Weights that some step of a plan binds as one buffer, in order: they must lie one after the other.
std::vector<std::vector<int32_t>> weight_groups(std::span<const Plan* const> plans);

// Chooses a kernel for every node and a place for every value. Values of the arena share memory where their lives do
// not overlap; views have the place of what they view; the results of elementwise ops take over an input that ends
// there; a written state is the state; values of output ports lie in buffers of their own (a port that names an input,
// a state or another port's value gets a copy). `unsupported` names the node and types when no kernel computes it;
// `invalid_argument` a bound that is missing.
Result<Plan> make_plan(const Model& model, const Graph& graph, const Caps& caps, const PlanOptions& options);
std::vector<WeightLayout> choose_layouts(const Model& model, const Caps& caps);

struct MemoryUse {
  int64_t weights = 0, states = 0, activations = 0;  // bytes
};
// What a device will hold for these plans of `model`: known before anything is allocated.
MemoryUse memory_needed(const Model& model, std::span<const Plan* const> plans);

int64_t size_of(const ValueType& type, std::span<const int64_t> symbols);  // bytes
std::string to_string(const Plan& plan);

// What tuning chooses between for a step: its call_key, and every kernel with its variants that computes it by
// dispatches of its own.
std::string step_key(const Plan& plan, const Step& step);
std::vector<Tuning::Choice> step_choices(const Plan& plan, const Step& step);

}  // namespace weft
