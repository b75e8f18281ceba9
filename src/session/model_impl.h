// Inside of LanguageModel: plans of one graph for the step sizes in use, and one step on the device. Not for use
// outside src/session.
#pragma once

#include "session/burst_size.h"
#include "session/session.h"
#include "session/turn.h"

namespace weft {

// The device's view of the weights, in the order of Model::weights. Outlives the device, which may use mapped bytes.
class FileWeightReader : public WeightReader {
 public:
  static Result<std::unique_ptr<FileWeightReader>> create(std::shared_ptr<Weights> weights, const Model& model);
  std::span<const std::byte> mapped(int weight) override;
  Task<Status> read_rows(int weight, int64_t chunk_bytes,
                         std::function<Status(int64_t first_row, std::span<const std::byte> rows)> sink) override;
  void release(int weight) override;

 private:
  std::shared_ptr<Weights> weights_;
  std::vector<WeightInfo> infos_;
};

// A plan with room for its inputs. `tokens` and `rows` are its bounds on T and R.
struct StepPlan {
  Plan plan;
  int64_t tokens = 0, rows = 0;
  bool prepared = false;
  bool ran = false;
  int ids = -1, positions = -1, slots = -1, cells = -1, wanted = -1, logits = -1;  // port numbers
  int symbol_t = -1, symbol_r = -1;
  std::vector<std::vector<int32_t>> inputs;  // by port
  Bindings bindings;
};

// What one step computes: `ids` at cells first, first + 1 … of `slot`; logits of the last `rows` of them into `logits`.
struct StepRequest {
  std::span<const int32_t> ids;
  int64_t first = 0;
  int32_t slot = 0;
  int64_t rows = 1;
  std::span<float> logits;  // rows * V; empty: they are not read
  const CancelFlag* cancel = nullptr;
};

struct LanguageModel::Impl {
  explicit Impl(Host& place) : host(place) {}

  Host& host;
  LoadOptions options;
  std::string path;
  std::shared_ptr<Weights> weights;  // null for a model made by create
  Model model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::optional<Error> tokenizer_error;  // why there is none
  std::vector<int32_t> end_ids;          // besides the tokenizer's own
  std::unique_ptr<WeightReader> reader;  // the device may use bytes that it maps
  std::unique_ptr<Device> device;
  Graph graph, graph_of_one;                       // "decode" after passes, for any number of tokens and for one
  std::unique_ptr<StepPlan> one, chunk, all_rows;  // T = 1; T = prefill_chunk, R = 1; R = T, made when asked for
  std::vector<bool> slot_taken;
  Turn turn;
  BurstSize burst;
  int64_t context = 0;
  double load_ms = 0;
  std::optional<uint64_t> fingerprint;

  // Device, passes, plans, memory: once model and reader are there.
  Task<Status> prepare();
  Result<std::unique_ptr<StepPlan>> plan_for(int64_t tokens, int64_t rows) const;
  Task<Status> step(StepPlan& plan, StepRequest request);
  Task<Status> submit(StepPlan& plan, StepRequest request);  // by who holds the turn; reads nothing
  StepPlan& plan_of(int64_t tokens) { return tokens == 1 ? *one : *chunk; }
  std::vector<std::string> kernels() const;  // of the plans that ran
  // Of the model's tensors: names, shapes and a sample of the bytes, so that a saved state finds its own model only.
  Task<Result<uint64_t>> model_fingerprint();
};

struct Session::Impl {
  Impl(std::shared_ptr<LanguageModel::Impl> owner, int32_t number) : model(std::move(owner)), slot(number) {}
  ~Impl() { model->slot_taken[slot] = false; }

  std::shared_ptr<LanguageModel::Impl> model;
  int32_t slot;
  std::vector<int32_t> tokens;  // what the states hold
  std::vector<float> logits;    // of one row

  // Copies of the states that cannot be truncated, as they were after `snapshot_tokens` tokens; -1: none.
  int64_t snapshot_tokens = -1;
  std::vector<std::vector<std::byte>> snapshot;

  bool needs_snapshots() const;
  Task<Status> take_snapshot();
  Task<Status> restore_snapshot();
  // Brings the states back to at most `count` tokens: exactly where they can be truncated, else to a snapshot or to 0.
  Task<Status> rewind(int64_t count);
  Task<Status> clear_states();
  // Computes `ids` after what is held, and if wanted reads the logits of the last one. On an error the states hold what
  // they held before, or nothing.
  Task<Status> advance(std::span<const int32_t> ids, const CancelFlag* cancel, bool want_logits);
  // Holds the beginning of `ids` afterwards, all but what one last step computes. Returns how many were kept.
  Task<Result<int64_t>> read_prompt(std::span<const int32_t> ids, const CancelFlag* cancel);
  Status check_ids(std::span<const int32_t> ids) const;
};

}  // namespace weft
