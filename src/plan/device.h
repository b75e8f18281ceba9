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

// How a TokenLoop samples: the options of src/sample/sampler.h, with the same meaning and order of steps.
struct LoopSampling {
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1, min_p = 0;
  float repeat_penalty = 1, frequency_penalty = 0, presence_penalty = 0;
  int32_t penalty_last_n = 0;
  uint64_t seed = 0, first_draw = 0;  // the number of the first draw: a run that goes on counts on
  int32_t logprobs = -1;
  std::span<const std::pair<int32_t, float>> logit_bias;
  std::span<const int32_t> history;  // of the prompt: what penalties look back on
};

// One sampled token, and what logprobs >= 0 asks for: natural logs of the softmax of the raw logits.
inline constexpr int kMaxLoopLogprobs = 20;
struct LoopToken {
  int32_t id = 0;
  float logprob = 0;
  std::array<int32_t, kMaxLoopLogprobs> best_ids{};  // descending
  std::array<float, kMaxLoopLogprobs> best{};
};

// Decoding without the host in between: on the device the sampled id is the next step's input, positions and cells
// count up, random draws are numbered. The host submits steps ahead and reads ids behind. What a token becomes does
// not depend on how many steps are submitted or read at once. One loop runs at a time.
//
//   TokenLoop* loop = device.loop(decode_plan);
//   WEFT_CO_CHECK_OK(loop->start(sampling, slot, cell));    // the first id will be computed in this cell
//   WEFT_CO_CHECK_OK(loop->sample(prefill_plan));           // token 0, from the logits of its last submit
//   WEFT_CO_CHECK_OK(loop->advance(8));                     // tokens 1 … 8
//   WEFT_CO_CHECK_OK(co_await loop->read(tokens));          // the next tokens.size() unread ones, as they are ready
class TokenLoop {
 public:
  virtual ~TokenLoop() = default;
  // `unsupported` for what only the host can do (more logprobs than kMaxLoopLogprobs …): sample there instead.
  virtual Status start(const LoopSampling& sampling, int32_t slot, int64_t cell) = 0;
  virtual Status sample(const Plan& prefill) = 0;
  // At most kMaxAhead tokens may be submitted and not read. The last cell of the context bounds `steps`.
  static constexpr int64_t kMaxAhead = 512;
  virtual Status advance(int64_t steps) = 0;
  // A read-back of the next `count` tokens is on its way; read() takes them in order.
  virtual Status begin_read(int64_t count) = 0;
  virtual Task<Status> read(std::span<LoopToken> tokens) = 0;
};

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

  // Of a prepared plan of one token whose logits have one row; nullptr where tokens are sampled by the host.
  virtual TokenLoop* loop(const Plan& decode) {
    (void)decode;
    return nullptr;
  }

  // One slot of one state as bytes: save, load, snapshot. For truncate states the first `cells` cells only.
  virtual Task<Result<std::vector<std::byte>>> read_state(int state, int64_t slot, int64_t cells) = 0;
  virtual Task<Status> write_state(int state, int64_t slot, int64_t cells, std::span<const std::byte> bytes) = 0;
};

}  // namespace weft
