// A plan with its memory: operands become tensors with addresses and sizes, once for each set of sizes.
#pragma once

#include <vector>

#include "cpu/memory.h"
#include "cpu/state_store.h"
#include "cpu/weight_store.h"

namespace weft {

class PreparedPlan {
 public:
  struct Memories {
    const WeightStore& weights;
    const StateStore& states;
    std::byte* arena;
  };
  struct Step {
    const Kernel* kernel;
    const Attrs* attrs;
    int in_begin, in_count, out_begin, out_count;  // into refs()
  };

  static Result<PreparedPlan> create(const Plan& plan, const WeightStore& weights);

  const Plan& plan() const { return *plan_; }
  const std::vector<Step>& steps() const { return steps_; }
  std::span<const TensorRef> inputs_of(const Step& s) const {
    return {refs_.data() + s.in_begin, static_cast<size_t>(s.in_count)};
  }
  std::span<const TensorRef> outputs_of(const Step& s) const {
    return {refs_.data() + s.out_begin, static_cast<size_t>(s.out_count)};
  }
  // Checks the bindings and points every tensor at its place. Cheap when sizes and memories are those of the last call.
  // invalid_argument names the port or symbol.
  Status bind(const Bindings& bindings, const Memories& memories, int64_t generation);
  std::span<const std::byte> output(int port) const;  // as of the last bind
  int64_t output_bytes() const { return output_memory_.size(); }
  const TensorRef* find(ValueId value) const;  // where a value of the last bind lies, for taps

 private:
  struct Source {
    ValueId value;
    Place place;
  };
  // An i32 input whose elements a kernel uses as an index.
  struct IndexPort {
    int port;
    int target;  // refs_ index of what is indexed
    int axis;
  };
  TensorRef describe(const Source& source, const Memories& memories) const;
  void find_index_ports(const Plan& plan);
  Status check_indices(const Bindings& bindings) const;

  const Plan* plan_ = nullptr;
  std::vector<Step> steps_;
  std::vector<TensorRef> refs_;
  std::vector<Source> sources_;  // of refs_
  std::vector<int> input_refs_;  // those that lie in the caller's memory
  std::vector<IndexPort> index_ports_;
  std::vector<int64_t> limits_;  // by input port; -1: not an index
  Memory output_memory_;
  std::vector<int64_t> output_offsets_;
  std::vector<int64_t> symbols_;
  int64_t generation_ = -1;
};

}  // namespace weft
