// A loaded language model and the conversations on it.
//
//   WEFT_CO_TRY(auto model, co_await LanguageModel::load(host, "model.gguf", {}));
//   WEFT_CO_TRY(auto session, co_await model->new_session());
//   GenerateRequest request{.prompt = ids, .max_tokens = 100};
//   WEFT_CO_TRY(auto done, co_await session->generate(request, [](const TokenEvent& e) { print(e.text); }));
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/host.h"
#include "gpu/gpu.h"
#include "graph/model.h"
#include "passes/passes.h"
#include "plan/device.h"
#include "sample/sampler.h"
#include "text/tokenizer.h"
#include "weights/weights.h"

namespace weft {

struct LoadOptions {
  std::string device = "auto";  // auto (a GPU that is no software, else the CPU: the log says why), cpu, webgpu
  // Of webgpu: adapter, how much of it may be used. What this library sends is checked as it is made.
  GpuOptions gpu{.skip_validation = true};
  int threads = 0;                    // 0: as many as the processor has
  std::optional<CpuLevel> cpu_level;  // force a lower instruction set
  // Cells of the KV cache. 0: the model's own, at most 4096. More than the model's own: invalid_argument.
  int64_t context = 0;
  DType kv = DType::f16;
  std::vector<std::string> disabled_passes;  // "*": all
  // Tokens a step while reading the prompt; 0: 128 on a CPU, 512 on a GPU. On a CPU results do not depend on it; on a
  // GPU steps of 8 tokens or fewer have kernels of their own, whose sums differ in the last digits.
  int64_t prefill_chunk = 0;
  int64_t slots = 1;  // sessions at once
  // Tokens that a GPU samples by itself between two looks of the host, at most 255, twice: it works on a burst while
  // the one before is read. 1: each token is read before the next step begins. 0: as many as take 5 to 50 ms. Results
  // do not depend on it.
  int64_t burst = 0;
  // The best kernels measured for these caps (of a GPU), nullptr where none were: asked once, before planning.
  std::function<std::shared_ptr<const Tuning>(const Caps&)> tuning;
  // Asked once what the model will need is known and before anything of it is read: an error ends the load.
  std::function<Task<Status>(const MemoryUse&)> fits;
  Progress progress;
  const CancelFlag* cancel = nullptr;
  // A device of the caller's own instead of `device`.
  std::function<Result<std::unique_ptr<Device>>(Host&)> make_device;
};

// The device that a load with these options uses. auto: a GPU where there is a real one, else the CPU; the log says
// why.
Task<Result<std::unique_ptr<Device>>> open_device(Host& host, const LoadOptions& options);
// What prefill_chunk means on a device, for a context of so many cells.
int64_t prefill_tokens(const LoadOptions& options, const Caps& caps, int64_t context);

enum class StopReason : uint8_t { end_token, stop_string, stop_token, max_tokens, context_full, cancelled };
std::string_view stop_reason_name(StopReason reason);  // "end-token" …

inline constexpr int32_t kNoToken = -1;

struct TokenEvent {
  int32_t id = 0;         // kNoToken: only the rest of the text, held back for a stop string that did not come
  std::string_view text;  // whole characters that this token completes; may be empty. Valid during the call
  const Sampled* sampled = nullptr;
};

struct GenerateRequest {
  // The whole conversation so far. A prefix that the session already holds is not computed again.
  std::vector<int32_t> prompt;
  int64_t max_tokens = -1;  // -1: until a stop or the context is full; 0: reads the prompt only
  SamplingOptions sampling;
  std::vector<std::string> stop;  // stop strings: neither they nor what follows is emitted
  std::vector<int32_t> stop_ids;  // besides the tokenizer's end tokens
  bool ignore_end = false;        // benchmarks: go on past end tokens
  std::function<std::span<const uint32_t>(std::span<const int32_t> generated)> mask;  // optional constrained decoding
  const CancelFlag* cancel = nullptr;
};

struct Statistics {
  std::string device;                // caps().name: what really ran
  std::vector<std::string> kernels;  // distinct kernels of the plans that ran
  double load_ms = 0, ttft_ms = 0;   // load: of the model; ttft: from the call to the first token's event
  int64_t prefill_tokens = 0;        // computed now (without what was kept)
  int64_t kept_tokens = 0;           // prefix reused
  double prefill_tps = 0;
  int64_t decode_tokens = 0;  // tokens after the first
  double decode_tps = 0;
  double submit_us = 0;  // of the host, to encode and submit one of them to a GPU; 0 where the host computes them
};

struct Generated {
  std::vector<int32_t> ids;  // without the end token; with a stop string: tokens up to the one that completed it
  std::string text;          // exactly what the events carried
  StopReason stop = StopReason::max_tokens;
  std::vector<Sampled> logprobs;  // a row an id when asked for
  Statistics stats;
};

class Session;

class LanguageModel {
 public:
  // Opens, checks, plans and loads. Nothing large is allocated before the memory needed is known to the log.
  static Task<Result<std::unique_ptr<LanguageModel>>> load(Host& host, std::string path, LoadOptions options);
  // The same for a model that was built without a file: its weights come from `reader`. No tokenizer.
  static Task<Result<std::unique_ptr<LanguageModel>>> create(Host& host, Model model,
                                                             std::unique_ptr<WeightReader> reader, LoadOptions options);
  ~LanguageModel();

  const Weights& weights() const;  // of a model that was loaded from a file
  const Model& model() const;
  const Tokenizer* tokenizer() const;                  // nullptr if the file has none, or none that this build can use
  Result<const Tokenizer*> require_tokenizer() const;  // or why there is none
  std::string chat_template() const;                   // empty if none
  const Caps& caps() const;
  MemoryUse memory() const;
  int64_t context() const;  // cells
  double load_ms() const;
  Device& device();
  const Plan& decode_plan() const;   // of one token
  const Plan& prefill_plan() const;  // of a whole step of the prompt
  Host& host();

  // A conversation of its own in a free slot; invalid_argument if all are taken.
  Task<Result<std::unique_ptr<Session>>> new_session();

  struct Impl;

 private:
  explicit LanguageModel(std::shared_ptr<Impl> impl);
  friend class Session;
  std::shared_ptr<Impl> impl_;  // shared with its sessions, which may outlive this object
};

class Session {
 public:
  ~Session();
  // context_full if the prompt alone does not fit; when the context fills while generating, stops with that reason: a
  // prompt of n tokens leaves room for context() - n + 1 (the last one needs no cell).
  // A cancelled call returns normally with StopReason::cancelled and what was generated; while a GPU generates, that is
  // within one burst. `on_token` must not use the model: its device is busy.
  Task<Result<Generated>> generate(GenerateRequest request, std::function<void(const TokenEvent&)> on_token);
  // Logits [T, V] of all positions of `ids`, from an empty session, `sink` called with consecutive rows.
  Task<Status> logits(std::span<const int32_t> ids,
                      std::function<Status(int64_t first, std::span<const float> rows)> sink,
                      const CancelFlag* cancel = nullptr);
  const std::vector<int32_t>& tokens() const;  // what the state holds
  Task<Status> reset();
  // Forgets all but the first `count` tokens. Models whose state cannot be truncated recompute from the start.
  Task<Status> truncate(int64_t count);
  // The whole conversation state as bytes: tokens and states. restore() refuses bytes of another model (mismatch), of
  // another type of cache (mismatch), longer than the context (context_full), or damaged (bad_file), and then changes
  // nothing. The context lengths of the two sessions may differ.
  Task<Result<std::vector<std::byte>>> save();
  Task<Status> restore(std::span<const std::byte> bytes);

  struct Impl;

 private:
  friend class LanguageModel;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft
