// What executes plans. The CPU implements it in src/cpu, WebGPU later in src/gpu; the session knows only this.
// Work is handed over in order and nothing blocks: an answer arrives when its read is awaited.
#pragma once

#include <functional>

#include "base/host.h"
#include "plan/plan.h"

namespace weft {

// Rows of a weight in chunks, from wherever the weights come (src/weights adapted by the session).
class WeightReader {
 public:
  virtual ~WeightReader() = default;
  // Whole weight as mapped memory in the file's layout (with its row order), else empty. Valid while the reader lives.
  virtual std::span<const std::byte> mapped(int weight) = 0;
  virtual Task<Status> read_rows(int weight, int64_t chunk_bytes,
                                 std::function<Status(int64_t first_row, std::span<const std::byte> rows)> sink) = 0;
  virtual void release(int weight) = 0;  // its file pages may leave memory
};

// Called between chunks with bytes done and in all.
using Progress = std::function<void(int64_t done, int64_t total)>;

// Values bound to the input ports of a plan, and the actual sizes of its symbols (<= its bounds).
struct Bindings {
  std::vector<std::span<const std::byte>> inputs;  // by port index; must stay valid until the submit completes
  std::vector<int64_t> symbols;                    // by SymbolId
};

// Sees values as they are made, as floats in row-major order (i8_32 dequantised, states whole).
using TapSink =
    std::function<void(const std::string& name, std::span<const int64_t> shape, std::span<const float> values)>;

class Device {
 public:
  virtual ~Device() = default;
  virtual const Caps& caps() const = 0;
  virtual MemoryUse memory() const = 0;

  // Brings weights and constants of `model` into the layouts and groups that `plans` expect, which are all the plans
  // that will be prepared with weights in groups. Once.
  virtual Task<Status> load(const Model& model, std::span<const Plan* const> plans, WeightReader& reader,
                            const Progress& progress, const CancelFlag* cancel) = 0;
  // Zeroed states for the given sizes of the model's state symbols. Again: replaces them.
  virtual Task<Status> create_states(const Model& model, std::span<const std::pair<std::string, int64_t>> symbols) = 0;
  // Makes everything a plan needs (arena, pipelines) before it is first run. The plan must outlive the device's use.
  virtual Task<Status> prepare(const Plan& plan) = 0;

  // Executes the plan after all earlier submits; the outputs stay readable until the next submit of the same plan.
  // `cancelled` if the flag was set (states may hold part of the step). `taps`: nullptr for none.
  virtual Task<Status> submit(const Plan& plan, const Bindings& bindings, const CancelFlag* cancel,
                              const TapSink* taps) = 0;
  // The contents of an output port of the last submit of `plan`.
  virtual Task<Status> read(const Plan& plan, int output, std::span<std::byte> out) = 0;

  // One slot of one state as bytes: save, load, snapshot. For truncate states the first `cells` cells only.
  virtual Task<Result<std::vector<std::byte>>> read_state(int state, int64_t slot, int64_t cells) = 0;
  virtual Task<Status> write_state(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) = 0;
};

}  // namespace weft
