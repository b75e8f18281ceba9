// Where the time of a GPU's steps goes: --profile.
#pragma once

#include "command.h"

namespace weft::cli {

void declare_profile(Args& args, std::optional<std::string>& path);
// Times every dispatch of the decode plan (with `depth` cells in use) and of the prefill plan by the GPU's clock,
// writes them to `path` in the trace event format that chrome://tracing and Perfetto open, and returns a table.
// `unsupported` without a GPU or its timestamps. Sessions of the model hold anything afterwards.
Result<std::string> profile(Context& context, LanguageModel& model, const std::string& path, int64_t depth);
// The error that profile() would end with, known before a model is run.
Status can_profile(LanguageModel& model);

}  // namespace weft::cli
