// The options of generate and chat that shape the text.
#pragma once

#include "command.h"
#include "session/session.h"

namespace weft::cli {

struct TextOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 256, top_k = 40, penalty_last_n = 64;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop, logit_bias;
};

void declare_text_options(Args& args, TextOptions& o);

// A request without a prompt. Where no seed was given, one is drawn from the system. invalid_argument for values that
// do not fit the model.
Result<GenerateRequest> make_request(const TextOptions& o, const LanguageModel& model);

// "cpu avx2, 2 threads · loaded in 20 ms · first token 12 ms · …", without colours.
std::string statistics_line(const Statistics& stats, bool all_kernels);

}  // namespace weft::cli
