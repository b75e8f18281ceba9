// Requests and answers as JSON, as the C interface, the browser and Node hand them out and take them.
#pragma once

#include "base/json.h"
#include "session/session.h"

namespace weft {

// {architecture, name, file, parameters, formats, vocabulary, layers, width, context_length, context, tokenizer,
//  chat_template, device, kind, adapter, load_ms, memory: {weights, states, activations}}
OrderedJson model_json(const LanguageModel& model);
OrderedJson memory_json(const MemoryUse& memory);
OrderedJson gpu_json(const GpuInfo& gpu);
// {prompt_ids, ids, text, stop, stats: {…}, logprobs: [{id, logprob, best: [{id, logprob}]}] if asked for}
OrderedJson generated_json(const Generated& generated, std::span<const int32_t> prompt, int64_t peak_bytes);
// {id, text, logprob and best if asked for}
OrderedJson token_json(const TokenEvent& event);

// The options of a generation, each with the name and default of GenerateRequest or SamplingOptions:
// {max_tokens, stop: [text], stop_ids: [id], ignore_end, temperature, top_k, top_p, min_p, repeat_penalty,
//  frequency_penalty, presence_penalty, penalty_last_n, seed, logprobs, logit_bias: [[id, value]]}.
// invalid_argument names the member, what it must be and what it is, also for a name that none has.
Result<GenerateRequest> request_from_json(const OrderedJson& options);
// {device, profile, context, kv, threads, chunk, slots, burst, software, disabled_passes}: LoadOptions likewise.
Result<LoadOptions> load_options_from_json(const OrderedJson& options);

}  // namespace weft
