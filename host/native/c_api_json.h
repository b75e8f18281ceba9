// What the C interface hands out as JSON.
#pragma once

#include "base/json.h"
#include "session/session.h"

namespace weft {

// {architecture, name, file, parameters, formats, vocabulary, layers, width, context_length, context, tokenizer,
//  chat_template, device, load_ms, memory: {weights, states, activations}}
OrderedJson model_json(const LanguageModel& model);
// {prompt_ids, ids, text, stop, stats: {…}, logprobs: [{id, logprob, best: [{id, logprob}]}] if asked for}
OrderedJson generated_json(const Generated& generated, std::span<const int32_t> prompt, int64_t peak_bytes);

}  // namespace weft
