#include "session/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "gpu/profiles.h"

namespace weft {
namespace {

OrderedJson logprob_json(const Logprob& l) { return {{"id", l.id}, {"logprob", l.logprob}}; }

void add_logprobs(OrderedJson& row, const Sampled& sampled) {
  row["logprob"] = sampled.chosen.logprob;
  row["best"] = OrderedJson::array();
  for (const Logprob& best : sampled.best) row["best"].push_back(logprob_json(best));
}

// Members of an object by name, into what they set. A member that nobody asked for is an error: it is a misspelt one.
class Members {
 public:
  explicit Members(const OrderedJson& object, const char* where) : object_(object), where_(where) {
    if (!object.is_object()) status_ = wrong("options", "an object", object);
  }

  template <class T>
  void take(const char* name, T& out) {
    const OrderedJson* value = next(name);
    if (!value) return;
    if constexpr (std::is_same_v<T, bool>) {
      if (!value->is_boolean()) return refuse(name, "true or false", *value);
      out = value->get<bool>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!value->is_string()) return refuse(name, "a text", *value);
      out = value->get<std::string>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!value->is_number()) return refuse(name, "a number", *value);
      out = value->get<T>();
    } else {
      take_integer(name, *value, out);
    }
  }
  template <class T>
  void take(const char* name, std::vector<T>& out) {
    const OrderedJson* value = next(name);
    if (!value) return;
    constexpr bool text = std::is_same_v<T, std::string>;
    if (!value->is_array()) return refuse(name, text ? "an array of texts" : "an array of numbers", *value);
    for (const OrderedJson& item : *value) {
      if (text ? !item.is_string() : !item.is_number_integer()) return refuse(name, text ? "texts" : "integers", item);
      out.push_back(item.get<T>());
    }
  }
  void take(const char* name, std::vector<std::pair<int32_t, float>>& out) {
    const OrderedJson* value = next(name);
    if (!value) return;
    const char* form = "an array of pairs [token, number]; null for the number forbids the token";
    if (!value->is_array()) return refuse(name, form, *value);
    for (const OrderedJson& pair : *value) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer() ||
          !(pair[1].is_number() || pair[1].is_null()))
        return refuse(name, form, pair);
      out.emplace_back(pair[0].get<int32_t>(), pair[1].is_null() ? -INFINITY : pair[1].get<float>());
    }
  }
  Status end() {
    if (status_ && object_.size() != known_) {
      for (const auto& [name, value] : object_.items())
        if (std::ranges::find(names_, name) == names_.end()) return wrong(name, "no such option", value);
    }
    return status_;
  }
  void refuse(const char* name, const char* expected, const OrderedJson& found) {
    if (status_) status_ = wrong(name, expected, found);
  }

 private:
  const OrderedJson* next(const char* name) {
    names_.push_back(name);
    const OrderedJson* value = status_ ? json_member(object_, name) : nullptr;
    if (value) ++known_;
    return value && !value->is_null() ? value : nullptr;
  }
  template <class T>
  void take_integer(const char* name, const OrderedJson& value, T& out) {
    // JavaScript's numbers: an integer may be written 1e3.
    const double number = value.is_number() ? value.get<double>() : NAN;
    const double least = static_cast<double>(std::numeric_limits<T>::min());
    const double most = static_cast<double>(std::numeric_limits<T>::max());
    if (!(number >= least && number <= most) || number != std::floor(number)) return refuse(name, "an integer", value);
    out = value.is_number_float() ? static_cast<T>(number) : value.get<T>();
  }
  Status wrong(const std::string& name, const char* expected, const OrderedJson& found) {
    return fail(Code::invalid_argument, where_, name, expected, dump_json(found));
  }

  const OrderedJson& object_;
  const char* where_;
  Status status_;
  size_t known_ = 0;
  std::vector<std::string> names_;
};

}  // namespace

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
          {"kind", model.caps().kind == Caps::Kind::webgpu ? "webgpu" : "cpu"},
          {"gpu", model.caps().kind == Caps::Kind::webgpu ? gpu_json(model.caps().gpu) : OrderedJson()},
          {"load_ms", model.load_ms()},
          {"memory", memory_json(model.memory())}};
}

OrderedJson memory_json(const MemoryUse& memory) {
  return {{"weights", memory.weights}, {"states", memory.states}, {"activations", memory.activations}};
}

OrderedJson gpu_json(const GpuInfo& gpu) {
  return {{"name", gpu.name},
          {"vendor", gpu.vendor},
          {"architecture", gpu.architecture},
          {"backend", gpu.backend},
          {"software", gpu.software},
          {"f16", gpu.f16},
          {"subgroups", gpu.subgroups},
          {"subgroup_min", gpu.subgroup_min},
          {"subgroup_max", gpu.subgroup_max},
          {"subgroup_matrix", gpu.subgroup_matrix},
          {"packed_dot", gpu.packed_dot},
          {"timestamps", gpu.timestamps},
          {"max_buffer_bytes", gpu.max_buffer_bytes},
          {"max_binding_bytes", gpu.max_binding_bytes},
          {"max_workgroup_bytes", gpu.max_workgroup_bytes},
          {"max_workgroup_invocations", gpu.max_workgroup_invocations}};
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
                       {"submit_us", s.submit_us},
                       {"peak_bytes", peak_bytes}}}};
  if (generated.logprobs.empty()) return out;
  OrderedJson rows = OrderedJson::array();
  for (const Sampled& sampled : generated.logprobs) {
    OrderedJson row = {{"id", sampled.chosen.id}};
    add_logprobs(row, sampled);
    rows.push_back(std::move(row));
  }
  out["logprobs"] = std::move(rows);
  return out;
}

OrderedJson token_json(const TokenEvent& event) {
  OrderedJson row = {{"id", event.id}, {"text", event.text}};
  if (event.sampled) add_logprobs(row, *event.sampled);
  return row;
}

Result<GenerateRequest> request_from_json(const OrderedJson& options) {
  GenerateRequest r;
  Members members(options, "generate");
  members.take("max_tokens", r.max_tokens);
  members.take("stop", r.stop);
  members.take("stop_ids", r.stop_ids);
  members.take("ignore_end", r.ignore_end);
  SamplingOptions& s = r.sampling;
  members.take("temperature", s.temperature);
  members.take("top_k", s.top_k);
  members.take("top_p", s.top_p);
  members.take("min_p", s.min_p);
  members.take("repeat_penalty", s.repeat_penalty);
  members.take("frequency_penalty", s.frequency_penalty);
  members.take("presence_penalty", s.presence_penalty);
  members.take("penalty_last_n", s.penalty_last_n);
  members.take("seed", s.seed);
  members.take("logprobs", s.logprobs);
  members.take("logit_bias", s.logit_bias);
  WEFT_CHECK_OK(members.end());
  return r;
}

Result<LoadOptions> load_options_from_json(const OrderedJson& options) {
  LoadOptions o;
  std::string kv, profile = "full";
  Members members(options, "load");
  members.take("device", o.device);
  members.take("profile", profile);
  members.take("software", o.gpu.allow_software);
  members.take("context", o.context);
  members.take("kv", kv);
  members.take("threads", o.threads);
  members.take("chunk", o.prefill_chunk);
  members.take("slots", o.slots);
  members.take("burst", o.burst);
  members.take("disabled_passes", o.disabled_passes);
  WEFT_CHECK_OK(members.end());
  if (!kv.empty()) {
    const auto type = dtype_from_name(kv);
    if (!type) return fail(Code::invalid_argument, "load", "kv", "f32, f16 or q8_0", kv);
    o.kv = *type;
  }
  const auto found = gpu_profile_from_name(profile);
  if (!found) return fail(Code::invalid_argument, "load", "profile", "full, chrome, safari or minimum", profile);
  o.gpu.profile = *found;
  return o;
}

}  // namespace weft
