#include "c_api_json.h"

#include <map>

namespace weft {

OrderedJson model_json(const LanguageModel& model) {
  const Model& m = model.model();
  const Metadata& metadata = model.weights().metadata();
  int64_t parameters = 0;
  std::map<std::string, int> formats;
  for (const WeightDecl& weight : m.weights) {
    int64_t elements = 1;
    for (int64_t size : weight.shape) elements *= size;
    parameters += elements;
    ++formats[std::string(name(weight.dtype))];
  }
  const auto* title = metadata.peek<std::string>("general.name");
  const MemoryUse memory = model.memory();
  return {{"architecture", m.architecture},
          {"name", title ? *title : ""},
          {"file", metadata.source()},
          {"parameters", parameters},
          {"formats", formats},
          {"vocabulary", m.vocab_size},
          {"layers", m.layers},
          {"width", m.width},
          {"context_length", m.context_length},
          {"context", model.context()},
          {"tokenizer", model.tokenizer() ? model.tokenizer()->kind() : ""},
          {"chat_template", !model.chat_template().empty()},
          {"device", model.caps().name},
          {"load_ms", model.load_ms()},
          {"memory", {{"weights", memory.weights}, {"states", memory.states}, {"activations", memory.activations}}}};
}

OrderedJson generated_json(const Generated& generated, std::span<const int32_t> prompt, int64_t peak_bytes) {
  const Statistics& s = generated.stats;
  OrderedJson out = {{"prompt_ids", prompt},
                     {"ids", generated.ids},
                     {"text", generated.text},
                     {"stop", stop_reason_name(generated.stop)},
                     {"stats",
                      {{"device", s.device},
                       {"kernels", s.kernels},
                       {"load_ms", s.load_ms},
                       {"ttft_ms", s.ttft_ms},
                       {"prefill_tokens", s.prefill_tokens},
                       {"kept_tokens", s.kept_tokens},
                       {"prefill_tps", s.prefill_tps},
                       {"decode_tokens", s.decode_tokens},
                       {"decode_tps", s.decode_tps},
                       {"peak_bytes", peak_bytes}}}};
  if (generated.logprobs.empty()) return out;
  const auto entry = [](const Logprob& l) { return OrderedJson{{"id", l.id}, {"logprob", l.logprob}}; };
  OrderedJson rows = OrderedJson::array();
  for (const Sampled& sampled : generated.logprobs) {
    OrderedJson row = entry(sampled.chosen);
    row["best"] = OrderedJson::array();
    for (const Logprob& best : sampled.best) row["best"].push_back(entry(best));
    rows.push_back(std::move(row));
  }
  out["logprobs"] = std::move(rows);
  return out;
}

}  // namespace weft
