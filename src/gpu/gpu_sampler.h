// The sampler of src/sample/sampler.h on the GPU, for a decode loop without the host in between: the chosen id goes
// into the step buffer of the decode plan, and a record of it into a ring that the host reads behind.
//
//   WEFT_CO_TRY(auto sampler, co_await GpuSampler::create(gpu, pipelines, vocab, context,
//                                                           {.step = {buffer, 0, bytes}, .ids = 16}));
//   WEFT_CO_CHECK_OK(sampler->start(sampling));                          // token 0 follows
//   WEFT_CO_CHECK_OK(sampler->encode(commands, prefill_logits, false));  // token 0: into the ids port
//   … dispatches of the decode plan …
//   WEFT_CO_CHECK_OK(sampler->encode(commands, decode_logits, true));    // token 1; positions, cells and length + 1
//   WEFT_CO_CHECK_OK(gpu.submit(commands));
//   WEFT_CO_CHECK_OK(sampler->begin_read(2));
//   WEFT_CO_CHECK_OK(co_await sampler->read(tokens));                    // both
//
// Options, order of steps, random numbers and ties are those of Sampler. Weights e^((logit - best) / temperature) are
// f32; sums of them are sums of integers (weights in units of 2^-40 of the best one's), so they do not depend on the
// order in which a GPU adds. A choice may differ from Sampler's only where a limit (top-p, min-p, the draw) is met
// within the rounding of these weights: about 1e-6 of the sum. Biases of one token are added up before they are used.
//
// Nothing is allocated after create but the bind groups of a logits range when it is first seen.
#pragma once

#include "gpu/gpu_pipelines.h"
#include "plan/device.h"

namespace weft {

// Where sampled ids go: the step buffer of a plan for one token (src/ops/gpu_kernel.h).
struct SamplerTarget {
  GpuRange step;
  // Words of its integer input ports; -1: the graph has no such port.
  int32_t ids = -1, positions = -1, cells = -1;
  int32_t position_axes = 1;
};

class GpuSampler {
 public:
  // `context`: cells, which bounds the tokens that penalties can look back on. out_of_memory, bad_shader, unsupported
  // for a vocabulary above kMaxVocab. The Gpu outlives the sampler.
  static constexpr int64_t kMaxVocab = 1 << 20;
  static Task<Result<std::unique_ptr<GpuSampler>>> create(Gpu& gpu, GpuPipelines& pipelines, int64_t vocab,
                                                          int64_t context, SamplerTarget target);
  ~GpuSampler();
  GpuSampler(const GpuSampler&) = delete;

  // Another run: tokens of the one before that were not read are dropped. Ordered after all submitted work, before all
  // later work. `unsupported` for more logprobs than kMaxLoopLogprobs.
  Status start(const LoopSampling& sampling);
  // Appends the dispatches that sample one token from `logits` (vocab floats, aligned like a binding). `advance`: the
  // step buffer's positions, cells and length count up. At most TokenLoop::kMaxAhead tokens encoded and not read:
  // invalid_argument.
  Status encode(GpuCommands& commands, GpuRange logits, bool advance);
  int encoded_dispatches() const;  // of one token with the options of this run

  // As TokenLoop's: a read-back of the next `count` tokens submitted is on its way; read() takes tokens in order, and
  // begins what was not begun. internal: the logits held no finite number; invalid_argument: the bias forbade all.
  Status begin_read(int64_t count);
  Task<Status> read(std::span<LoopToken> tokens);

 private:
  struct Impl;
  explicit GpuSampler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft
