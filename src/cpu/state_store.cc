#include "cpu/state_store.h"

#include <cstring>

namespace weft {

Status StateStore::create(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols) {
  std::vector<int64_t> sizes;
  for (const std::string& symbol : model.state_symbols) {
    int64_t size = 0;
    for (const auto& [name, value] : symbols) {
      if (name == symbol) size = value;
    }
    if (size < 1) {
      return fail(Code::invalid_argument, "cpu", "size of state symbol " + symbol, "1 or more", std::to_string(size));
    }
    sizes.push_back(size);
  }
  states_.clear();
  bytes_ = 0;
  std::vector<State> made;
  for (const StateDecl& decl : model.states) {
    State state{.name = decl.name, .ref = {.dtype = decl.dtype, .rank = decl.shape.rank}};
    int64_t rows = 1;
    for (int i = 0; i < decl.shape.rank; ++i) {
      const Dim& dim = decl.shape[i];
      int64_t size = 0;
      if (__builtin_mul_overflow(dim.count, dim.symbol < 0 ? 1 : sizes[dim.symbol], &size)) size = -1;
      state.ref.dim[i] = size;
      if (dim.symbol >= 0 && i > 0 && decl.rollback == Rollback::truncate) state.cell_axis = i;
      if (i + 1 < decl.shape.rank && (size < 0 || __builtin_mul_overflow(rows, size, &rows))) rows = -1;
      if (rows < 0) break;
    }
    int64_t bytes;
    if (rows < 0 || __builtin_mul_overflow(rows, row_bytes(decl.dtype, state.ref.dim[decl.shape.rank - 1]), &bytes)) {
      return fail(Code::out_of_memory, decl.name, "size of the state", {}, "more than 2^63 bytes");
    }
    WEFT_TRY(state.memory, Memory::zeroed(bytes, false, "states"));
    state.ref.data = state.memory.data();
    bytes_ += bytes;
    made.push_back(std::move(state));
  }
  states_ = std::move(made);
  return {};
}

Result<StateStore::Pieces> StateStore::pieces(int index, int64_t slot, int64_t cells) const {
  if (index < 0 || index >= static_cast<int>(states_.size())) {
    return fail(Code::invalid_argument, "cpu", "state", "below " + std::to_string(states_.size()),
                std::to_string(index));
  }
  const State& state = states_[index];
  const TensorRef& ref = state.ref;
  if (slot < 0 || slot >= ref.dim[0]) {
    return fail(Code::invalid_argument, state.name, "slot", "below " + std::to_string(ref.dim[0]),
                std::to_string(slot));
  }
  const int64_t slot_bytes = state.memory.size() / ref.dim[0];
  std::byte* begin = ref.data + slot * slot_bytes;
  if (state.cell_axis < 0) return Pieces{begin, 1, slot_bytes, slot_bytes};
  const int64_t all = ref.dim[state.cell_axis];
  if (cells < 0 || cells > all) {
    return fail(Code::invalid_argument, state.name, "cells", "at most " + std::to_string(all), std::to_string(cells));
  }
  int64_t count = 1;
  for (int i = 1; i < state.cell_axis; ++i) count *= ref.dim[i];
  const int64_t stride = slot_bytes / count;
  return Pieces{begin, count, stride / all * cells, stride};
}

Result<std::vector<std::byte>> StateStore::read(int state, int64_t slot, int64_t cells) const {
  WEFT_TRY(const Pieces p, pieces(state, slot, cells));
  std::vector<std::byte> bytes(static_cast<size_t>(p.count * p.bytes));
  if (bytes.empty()) return bytes;
  for (int64_t i = 0; i < p.count; ++i) {
    std::memcpy(bytes.data() + i * p.bytes, p.begin + i * p.stride, static_cast<size_t>(p.bytes));
  }
  return bytes;
}

Status StateStore::write(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) {
  WEFT_TRY(const Pieces p, pieces(state, slot, cells));
  if (static_cast<int64_t>(bytes.size()) != p.count * p.bytes) {
    return fail(Code::invalid_argument, states_[state].name, "bytes of " + std::to_string(cells) + " cells",
                std::to_string(p.count * p.bytes), std::to_string(bytes.size()));
  }
  if (bytes.empty()) return {};
  for (int64_t i = 0; i < p.count; ++i) {
    std::memcpy(p.begin + i * p.stride, bytes.data() + i * p.bytes, static_cast<size_t>(p.bytes));
  }
  return {};
}

}  // namespace weft
