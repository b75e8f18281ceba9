// The states of a model (caches, recurrent states) in memory, and one slot of them as bytes.
#pragma once

#include <string>
#include <vector>

#include "cpu/memory.h"
#include "plan/device.h"

namespace weft {

class StateStore {
 public:
  // Zeroed states; memory is taken only as cells are written.
  Status create(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols);

  const TensorRef& state(int index) const { return states_[index].ref; }
  size_t size() const { return states_.size(); }
  int64_t bytes() const { return bytes_; }

  // Truncate states: cells [0, cells) of every head, head by head. Snapshot states: the whole slot.
  Result<std::vector<std::byte>> read(int state, int64_t slot, int64_t cells) const;
  Status write(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes);

 private:
  struct State {
    std::string name;
    TensorRef ref;
    Memory memory;
    int cell_axis = -1;  // the axis of the symbol S of a truncate state; -1: a slot is saved whole
  };
  // The pieces of a slot that hold `cells` cells: `count` pieces of `bytes`, `stride` apart from `begin`.
  struct Pieces {
    std::byte* begin;
    int64_t count, bytes, stride;
  };
  Result<Pieces> pieces(int state, int64_t slot, int64_t cells) const;
  std::vector<State> states_;
  int64_t bytes_ = 0;
};

}  // namespace weft
