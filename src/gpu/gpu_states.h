// The states of a model (caches, recurrent states) in GPU buffers, and one slot of them as bytes.
#pragma once

#include "gpu/gpu.h"
#include "plan/device.h"

namespace weft {

class GpuStates {
 public:
  // Zeroed states, in place of those before. out_of_memory with the bytes.
  Task<Status> create(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols, Gpu& gpu);
  void destroy(Gpu& gpu);
  std::span<const GpuRange> ranges() const { return ranges_; }
  int64_t bytes() const { return bytes_; }

  // Truncate states: cells [0, cells) of every head, head by head. Snapshot states: the whole slot.
  Task<Result<std::vector<std::byte>>> read(Gpu& gpu, int state, int64_t slot, int64_t cells) const;
  Task<Status> write(Gpu& gpu, int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes);

 private:
  // A slot as `count` pieces of `bytes`, `stride` apart: what is saved of each head.
  struct Pieces {
    int64_t begin, count, bytes, stride;
  };
  Result<Pieces> pieces(int state, int64_t slot, int64_t cells) const;
  struct State {
    std::string name;
    int64_t slots, slot_bytes, heads, cells;  // cells: 0 where a slot is saved whole
  };
  std::vector<State> states_;
  std::vector<GpuRange> ranges_;
  int64_t bytes_ = 0;
};

}  // namespace weft
