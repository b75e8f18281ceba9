#include "gpu/gpu_states.h"

#include <algorithm>
#include <cstring>

namespace weft {

Task<Status> GpuStates::create(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols, Gpu& gpu) {
  destroy(gpu);
  std::vector<int64_t> sizes;
  for (const std::string& symbol : model.state_symbols) {
    const auto found = std::ranges::find(symbols, symbol, &std::pair<std::string, int64_t>::first);
    if (found == symbols.end() || found->second < 1) {
      co_return fail(Code::invalid_argument, "webgpu", "size of state symbol " + symbol, "1 or more",
                     found == symbols.end() ? "none" : std::to_string(found->second));
    }
    sizes.push_back(found->second);
  }
  for (const StateDecl& decl : model.states) {
    State state{.name = decl.name};
    const int64_t bytes = size_of({decl.dtype, decl.shape}, sizes);
    auto size = [&](const Dim& dim) { return dim.count * (dim.symbol == kNoSymbol ? 1 : sizes[dim.symbol]); };
    state.slots = size(decl.shape[0]);
    state.slot_bytes = bytes / state.slots;
    state.heads = 1;
    state.cells = 0;
    for (int i = 1; i < decl.shape.rank && decl.rollback == Rollback::truncate; ++i) {
      if (decl.shape[i].symbol != kNoSymbol) {
        state.cells = size(decl.shape[i]);
        break;
      }
      state.heads *= size(decl.shape[i]);
    }
    if (state.cells == 0) state.heads = 1;
    const int64_t held = align_up(bytes, 16);
    WEFT_CO_TRY(const GpuBuffer buffer, co_await gpu.create_buffer(held, decl.name));
    ranges_.push_back({buffer, 0, held});
    states_.push_back(std::move(state));
    bytes_ += held;
  }
  co_return Status{};
}

void GpuStates::destroy(Gpu& gpu) {
  for (const GpuRange& range : ranges_) gpu.destroy(range.buffer);
  ranges_.clear();
  states_.clear();
  bytes_ = 0;
}

Result<GpuStates::Pieces> GpuStates::pieces(int index, int64_t slot, int64_t cells) const {
  if (index < 0 || index >= static_cast<int>(states_.size())) {
    return fail(Code::invalid_argument, "webgpu", "state", "below " + std::to_string(states_.size()),
                std::to_string(index));
  }
  const State& state = states_[index];
  if (slot < 0 || slot >= state.slots) {
    return fail(Code::invalid_argument, state.name, "slot", "below " + std::to_string(state.slots),
                std::to_string(slot));
  }
  const int64_t begin = slot * state.slot_bytes, stride = state.slot_bytes / state.heads;
  if (state.cells == 0) return Pieces{begin, 1, stride, stride};
  if (cells < 0 || cells > state.cells) {
    return fail(Code::invalid_argument, state.name, "cells", "at most " + std::to_string(state.cells),
                std::to_string(cells));
  }
  return Pieces{begin, state.heads, stride / state.cells * cells, stride};
}

// A slot is moved as one range that begins and ends at words; the pieces are cut from it here.
Task<Result<std::vector<std::byte>>> GpuStates::read(Gpu& gpu, int state, int64_t slot, int64_t cells) const {
  WEFT_CO_TRY(const Pieces p, pieces(state, slot, cells));
  std::vector<std::byte> bytes(static_cast<size_t>(p.count * p.bytes));
  if (bytes.empty()) co_return bytes;
  const int64_t begin = p.begin / 4 * 4, end = align_up(p.begin + (p.count - 1) * p.stride + p.bytes, 4);
  std::vector<std::byte> range(static_cast<size_t>(end - begin));
  WEFT_CO_CHECK_OK(co_await gpu.read(ranges_[state].buffer, begin, range));
  for (int64_t i = 0; i < p.count; ++i) {
    std::memcpy(bytes.data() + i * p.bytes, range.data() + (p.begin - begin) + i * p.stride,
                static_cast<size_t>(p.bytes));
  }
  co_return bytes;
}

Task<Status> GpuStates::write(Gpu& gpu, int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) {
  WEFT_CO_TRY(const Pieces p, pieces(state, slot, cells));
  if (static_cast<int64_t>(bytes.size()) != p.count * p.bytes) {
    co_return fail(Code::invalid_argument, states_[state].name, "bytes of " + std::to_string(cells) + " cells",
                   std::to_string(p.count * p.bytes), std::to_string(bytes.size()));
  }
  if (bytes.empty()) co_return Status{};
  const GpuBuffer buffer = ranges_[state].buffer;
  if (p.begin % 4 == 0 && p.stride % 4 == 0 && p.bytes % 4 == 0) {
    for (int64_t i = 0; i < p.count; ++i) {
      WEFT_CO_CHECK_OK(gpu.write(buffer, p.begin + i * p.stride,
                                 bytes.subspan(static_cast<size_t>(i * p.bytes), static_cast<size_t>(p.bytes))));
    }
    co_return Status{};
  }
  const int64_t begin = p.begin / 4 * 4, end = align_up(p.begin + (p.count - 1) * p.stride + p.bytes, 4);
  std::vector<std::byte> range(static_cast<size_t>(end - begin));
  WEFT_CO_CHECK_OK(co_await gpu.read(buffer, begin, range));
  for (int64_t i = 0; i < p.count; ++i) {
    std::memcpy(range.data() + (p.begin - begin) + i * p.stride, bytes.data() + i * p.bytes,
                static_cast<size_t>(p.bytes));
  }
  co_return gpu.write(buffer, begin, range);
}

}  // namespace weft
