#include "sampling_options.h"

#include <sys/random.h>

#include <charconv>
#include <cmath>

#include "native_host.h"

namespace weft::cli {
namespace {

// "ID=BIAS"; "-inf" forbids the token.
Result<std::pair<int32_t, float>> parse_bias(const std::string& text, int64_t vocab) {
  const auto wrong = [&] {
    return fail(Code::invalid_argument, "--logit-bias", "bias", "ID=VALUE with an id below " + std::to_string(vocab),
                text, "for example --logit-bias 13=-inf");
  };
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return wrong();
  int32_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + equals, id);
  char* tail = nullptr;
  const float bias = std::strtof(text.c_str() + equals + 1, &tail);
  const bool good = error == std::errc{} && end == text.data() + equals && id >= 0 && id < vocab && *tail == '\0' &&
                    equals + 1 < text.size() && !std::isnan(bias);
  if (!good) return wrong();
  return std::pair{id, bias};
}

}  // namespace

void declare_text_options(Args& args, TextOptions& o) {
  args.option("-n,--max-tokens", o.max_tokens, "tokens to generate at most; -1: until the model ends (256)")
      .at_least(-1);
  args.option("--stop", o.stop, "end before this text; may be given several times");
  args.group("Sampling");
  args.option("--temp", o.sampling.temperature, "temperature; 0: always the likeliest token (0.8)").between(0, 100);
  args.option("--top-k", o.top_k, "only the k likeliest tokens; 0: all (40)").between(0, 1e9);
  args.option("--top-p", o.sampling.top_p, "only the likeliest tokens that make up this share; 1: all (0.95)")
      .between(0, 1);
  args.option("--min-p", o.sampling.min_p, "only tokens this likely, as share of the likeliest; 0: all (0.05)")
      .between(0, 1);
  args.option("--repeat-penalty", o.sampling.repeat_penalty, "divide the logits of tokens seen; 1: off (1)")
      .between(0, 100);
  args.option("--frequency-penalty", o.sampling.frequency_penalty, "subtract for each time a token was seen (0)")
      .between(-100, 100);
  args.option("--presence-penalty", o.sampling.presence_penalty, "subtract if a token was seen (0)").between(-100, 100);
  args.option("--penalty-last-n", o.penalty_last_n, "tokens the penalties look back on; -1: all (64)").between(-1, 1e9);
  args.option("--logit-bias", o.logit_bias, "add to the logit of a token, -inf forbids it; several times")
      .value("ID=BIAS");
  args.option("--seed", o.seed, "same seed, same text; without: a new one each time");
}

Result<GenerateRequest> make_request(const TextOptions& o, const LanguageModel& model) {
  GenerateRequest request;
  request.max_tokens = o.max_tokens;
  request.sampling = o.sampling;
  request.sampling.top_k = static_cast<int32_t>(o.top_k);
  request.sampling.penalty_last_n = static_cast<int32_t>(o.penalty_last_n);
  for (const std::string& text : o.logit_bias) {
    WEFT_TRY(const auto bias, parse_bias(text, model.model().vocab_size));
    request.sampling.logit_bias.push_back(bias);
  }
  if (o.seed) {
    request.sampling.seed = *o.seed;
  } else if (getrandom(&request.sampling.seed, sizeof request.sampling.seed, 0) < 0) {
    request.sampling.seed = static_cast<uint64_t>(seconds_now() * 1e9);
  }
  request.stop = o.stop;
  request.cancel = &interrupt_flag();
  WEFT_CHECK_OK(validate(request.sampling, model.model().vocab_size));
  return request;
}

std::string statistics_line(const Statistics& s, bool all_kernels) {
  std::string text = s.device;
  if (all_kernels || s.kernels.size() < 2) {
    for (const std::string& kernel : s.kernels) text += (&kernel == s.kernels.data() ? " (" : ", ") + kernel;
    text += s.kernels.empty() ? "" : ")";
  } else {
    // The kernel of the matrices says most; the others are in --json and --verbose.
    std::string shown = s.kernels.front();
    for (const std::string& kernel : s.kernels) {
      if (kernel.starts_with("linear")) shown = kernel;
    }
    text += " (" + shown + format(" and %zu more kernels)", s.kernels.size() - 1);
  }
  text += " · loaded in " + human_seconds(s.load_ms / 1000) + " · first token " + human_seconds(s.ttft_ms / 1000);
  text += format(" · prompt %lld tokens", static_cast<long long>(s.prefill_tokens));
  if (s.kept_tokens > 0) text += format(" (%lld kept)", static_cast<long long>(s.kept_tokens));
  if (s.prefill_tps > 0) text += format(", %.0f tok/s", s.prefill_tps);
  if (s.decode_tokens > 0) text += format(" · generation %.0f tok/s", s.decode_tps);
  if (const int64_t peak = peak_memory_bytes(); peak > 0)
    text += " · peak memory " + human_bytes(static_cast<double>(peak));
  return text;
}

}  // namespace weft::cli
