#include "file/config_json.h"

#include <algorithm>
#include <cmath>

#include "file/config_fields.h"

namespace weft {
namespace {

// What the published configuration classes assume for a field that is left out. The larger Gemma 3 checkpoints leave
// out nearly everything. `none`: the field must be there.
constexpr int64_t kNone = -1;
struct Family {
  std::string_view model_type, architecture;
  int64_t heads = kNone, kv_heads = kNone;  // kv_heads none: as many as heads
  int64_t head_dim = kNone;                 // none: width / heads
  int64_t vocabulary = kNone, context = kNone;
  double epsilon = 1e-6, rope_theta = 10000;
  bool tied = false;
  bool gemma = false;
};
constexpr Family kFamilies[] = {
    {.model_type = "llama", .architecture = "llama"},
    {.model_type = "qwen2", .architecture = "qwen2"},
    {.model_type = "qwen3", .architecture = "qwen3", .head_dim = 128},
    {.model_type = "gemma3_text",
     .architecture = "gemma3",
     .heads = 8,
     .kv_heads = 4,
     .head_dim = 256,
     .vocabulary = 262208,
     .context = 131072,
     .rope_theta = 1e6,
     .tied = true,
     .gemma = true},
};

class Converter {
 public:
  Converter(ConfigFields fields, const Family& family, Metadata& out)
      : f_(fields), family_(family), out_(out), prefix_(std::string(family.architecture) + ".") {}

  Status convert() {
    out_.set("general.architecture", std::string(family_.architecture));
    WEFT_CHECK_OK(sizes());
    WEFT_CHECK_OK(rope());
    WEFT_CHECK_OK(sliding_window());
    WEFT_CHECK_OK(gemma());
    WEFT_TRY(const bool tied, f_.boolean("tie_word_embeddings", family_.tied));
    out_.set("weft.tie_word_embeddings", tied);
    WEFT_TRY(auto activation, f_.string("hidden_activation"));
    if (!activation) {
      WEFT_TRY(activation, f_.string("hidden_act"));
    }
    out_.set("weft.hidden_act", activation.value_or(family_.gemma ? "gelu_pytorch_tanh" : "silu"));
    WEFT_CHECK_OK(token_ids(f_, out_));
    return {};
  }

  static Status token_ids(const ConfigFields& f, Metadata& out) {
    for (auto [field, key] : {std::pair("bos_token_id", "tokenizer.ggml.bos_token_id"),
                              std::pair("pad_token_id", "tokenizer.ggml.padding_token_id")}) {
      WEFT_TRY(const auto ids, f.integers(field));
      if (!ids.empty() && !out.has(key)) out.set(key, ids[0]);
    }
    WEFT_TRY(const auto eos, f.integers("eos_token_id"));
    if (eos.empty()) return {};
    if (!out.has("tokenizer.ggml.eos_token_id")) out.set("tokenizer.ggml.eos_token_id", eos[0]);
    WEFT_TRY(auto all, out.get_or<std::vector<int64_t>>("weft.eos_token_ids", {}));
    for (int64_t id : eos) {
      if (std::find(all.begin(), all.end(), id) == all.end()) all.push_back(id);
    }
    out.set("weft.eos_token_ids", std::move(all));
    return {};
  }

 private:
  void set(std::string_view key, MetaValue value) { out_.set(prefix_ + std::string(key), std::move(value)); }
  void set_float(std::string_view key, double value) { set(key, static_cast<double>(static_cast<float>(value))); }

  Status sizes() {
    WEFT_TRY(const int64_t width, f_.positive("hidden_size"));
    WEFT_TRY(const int64_t layers, f_.positive("num_hidden_layers"));
    WEFT_TRY(const int64_t ffn, f_.positive("intermediate_size"));
    WEFT_TRY(const int64_t heads, f_.positive("num_attention_heads", family_.heads));
    WEFT_TRY(const int64_t kv_heads,
             f_.positive("num_key_value_heads", family_.kv_heads == kNone ? heads : family_.kv_heads));
    WEFT_TRY(head_dim_, f_.positive("head_dim", family_.head_dim == kNone ? std::max<int64_t>(width / heads, 1)
                                                                          : family_.head_dim));
    WEFT_TRY(const int64_t vocabulary, f_.positive("vocab_size", family_.vocabulary));
    WEFT_TRY(context_, f_.positive("max_position_embeddings", family_.context));
    WEFT_TRY(const double epsilon, f_.number("rms_norm_eps", family_.epsilon));
    layers_ = layers;
    set("vocab_size", vocabulary);
    set("context_length", context_);
    set("embedding_length", width);
    set("block_count", layers);
    set("feed_forward_length", ffn);
    set("attention.head_count", heads);
    set("attention.head_count_kv", kv_heads);
    set("attention.key_length", head_dim_);
    set("attention.value_length", head_dim_);
    set_float("attention.layer_norm_rms_epsilon", epsilon);
    return {};
  }

  // transformers 5 writes `rope_parameters`; before, `rope_theta` and `rope_scaling`. Gemma has one set of parameters
  // for layers that see everything and one for sliding layers.
  Status rope() {
    WEFT_TRY(const double partial, f_.number("partial_rotary_factor", 1.0));
    if (!(partial > 0 && partial <= 1)) return f_.wrong("partial_rotary_factor", "a number above 0 and up to 1");
    set("rope.dimension_count", static_cast<int64_t>(static_cast<double>(head_dim_) * partial));
    WEFT_TRY(const ConfigFields parameters, f_.object("rope_parameters"));
    if (!parameters) {
      WEFT_TRY(const double theta, f_.number("rope_theta", family_.rope_theta));
      set_float("rope.freq_base", theta);
      if (family_.gemma) {
        WEFT_TRY(const double local, f_.number("rope_local_base_freq", 10000));
        set_float("rope.freq_base_swa", local);
      }
      WEFT_TRY(const ConfigFields scaling, f_.object("rope_scaling"));
      return scaling ? rope_scaling(scaling) : Status{};
    }
    WEFT_TRY(const ConfigFields full, parameters.object("full_attention"));
    WEFT_TRY(const double theta, (full ? full : parameters).number("rope_theta", family_.rope_theta));
    set_float("rope.freq_base", theta);
    if (full) {
      WEFT_TRY(const ConfigFields sliding, parameters.object("sliding_attention"));
      if (sliding) {
        WEFT_TRY(const double local, sliding.number("rope_theta", 10000));
        set_float("rope.freq_base_swa", local);
        WEFT_TRY(const auto kind, sliding.string("rope_type"));
        if (kind && *kind != "default")
          return fail(Code::unsupported, sliding.where(), sliding.path("rope_type"),
                      "'default': sliding layers without scaling", "'" + *kind + "'");
      }
    }
    return rope_scaling(full ? full : parameters);
  }

  Status rope_scaling(const ConfigFields& s) {
    WEFT_TRY(auto kind, s.string("rope_type"));
    if (!kind) {
      WEFT_TRY(kind, s.string("type"));  // before transformers 4.43
    }
    if (!kind || *kind == "default") return {};
    set("rope.scaling.type", *kind);
    constexpr std::pair<const char*, const char*> kNumbers[] = {
        {"factor", "rope.scaling.factor"},
        {"low_freq_factor", "rope.scaling.low_freq_factor"},
        {"high_freq_factor", "rope.scaling.high_freq_factor"},
        {"beta_fast", "rope.scaling.yarn_beta_fast"},
        {"beta_slow", "rope.scaling.yarn_beta_slow"},
        {"attention_factor", "rope.scaling.attention_factor"},
    };
    for (auto [field, key] : kNumbers) {
      if (!s.has(field)) continue;
      WEFT_TRY(const double value, s.number(field, 0));
      set_float(key, value);
    }
    WEFT_TRY(const int64_t original, s.positive("original_max_position_embeddings", context_));
    if (*kind == "yarn" || *kind == "llama3") set("rope.scaling.original_context_length", original);
    return {};
  }

  Status sliding_window() {
    WEFT_TRY(const bool use, f_.boolean("use_sliding_window", true));  // the Qwen family's switch
    const bool has = f_.has("sliding_window");
    if (!use || (!has && !family_.gemma)) return {};
    WEFT_TRY(const int64_t window, f_.positive("sliding_window", 4096));
    WEFT_TRY(auto types, f_.strings("layer_types"));
    if (types.empty() && f_.has("max_window_layers")) {  // Qwen: the first so many layers see everything
      WEFT_TRY(const auto full, f_.integers("max_window_layers"));
      for (int64_t i = 0; i < layers_; ++i) types.push_back(i < full[0] ? "full_attention" : "sliding_attention");
    }
    set("attention.sliding_window", window);
    if (types.empty()) {
      if (!family_.gemma) return {};  // every layer
      for (const char* field : {"sliding_window_pattern", "_sliding_window_pattern"}) {
        if (!f_.has(field)) continue;
        WEFT_TRY(const int64_t period, f_.positive(field));
        set("attention.sliding_window_pattern", period);
        return {};
      }
      set("attention.sliding_window_pattern", int64_t{6});
      return {};
    }
    if (static_cast<int64_t>(types.size()) != layers_)
      return f_.wrong("layer_types", std::to_string(layers_) + " entries");
    std::vector<bool> slides;
    for (const std::string& type : types) {
      if (type != "full_attention" && type != "sliding_attention")
        return fail(Code::unsupported, f_.where(), f_.path("layer_types"), "full_attention or sliding_attention",
                    "'" + type + "'");
      slides.push_back(type == "sliding_attention");
    }
    // As one number where every nth layer sees everything, as GGUF has it, else one bool a layer.
    const auto first_full = std::find(slides.begin(), slides.end(), false);
    const int64_t period = first_full - slides.begin() + 1;
    bool periodic = first_full != slides.end();
    for (int64_t i = 0; i < layers_; ++i) periodic &= slides[i] == ((i + 1) % period != 0);
    if (periodic)
      set("attention.sliding_window_pattern", period);
    else
      set("attention.sliding_window_pattern", std::move(slides));
    return {};
  }

  Status gemma() {
    for (const char* field : {"attn_logit_softcapping", "final_logit_softcapping"}) {
      if (!f_.has(field)) continue;
      WEFT_TRY(const double cap, f_.number(field, 0));
      set_float(field, cap);
    }
    if (!family_.gemma && !f_.has("query_pre_attn_scalar")) return {};
    WEFT_TRY(const double scalar, f_.number("query_pre_attn_scalar", 256));
    if (!(scalar > 0)) return f_.wrong("query_pre_attn_scalar", "a number above 0");
    set_float("attention.scale", 1 / std::sqrt(scalar));
    return {};
  }

  ConfigFields f_;
  const Family& family_;
  Metadata& out_;
  std::string prefix_;
  int64_t head_dim_ = 0, context_ = 0, layers_ = 0;
};

}  // namespace

Result<Metadata> metadata_from_config(const Json& config, const std::string& where, const std::string& source) {
  if (!config.is_object()) return fail(Code::bad_file, where, "config.json", "a JSON object", config.type_name());
  Metadata metadata(source);
  const ConfigFields all(config, where);
  WEFT_TRY(const auto model_type, all.string("model_type"));
  if (!model_type) return all.wrong("model_type", "a string");
  // Models that also see images keep the language model's settings one level down.
  WEFT_TRY(const ConfigFields text, all.object("text_config"));
  const bool nested = *model_type == "gemma3" && text;
  const std::string type = *model_type == "gemma3" ? "gemma3_text" : *model_type;
  const auto* family =
      std::find_if(std::begin(kFamilies), std::end(kFamilies), [&](const Family& f) { return f.model_type == type; });
  if (family == std::end(kFamilies)) {
    metadata.set("general.architecture", *model_type);  // refused by the registry of models, which knows its list
    return metadata;
  }
  WEFT_CHECK_OK(Converter(nested ? text : all, *family, metadata).convert());
  if (nested) WEFT_CHECK_OK(Converter::token_ids(all, metadata));
  return metadata;
}

Status add_side_config(const Json& config, const std::string& where, Metadata& metadata) {
  if (!config.is_object()) return fail(Code::bad_file, where, "settings", "a JSON object", config.type_name());
  const ConfigFields fields(config, where);
  WEFT_CHECK_OK(Converter::token_ids(fields, metadata));
  for (auto [field, key] : {std::pair("add_bos_token", "tokenizer.ggml.add_bos_token"),
                            std::pair("add_eos_token", "tokenizer.ggml.add_eos_token")}) {
    if (!fields.has(field)) continue;
    WEFT_TRY(const bool value, fields.boolean(field, false));
    metadata.set(key, value);
  }
  const Json* chat = json_member(config, "chat_template");
  if (chat && chat->is_array()) {  // [{"name": "default", "template": "…"}, …]
    const Json* chosen = nullptr;
    for (const Json& entry : *chat) {
      const Json* name = json_member(entry, "name");
      if (!chosen || (name && *name == "default")) chosen = json_member(entry, "template");
    }
    chat = chosen;
  }
  if (chat && chat->is_string()) metadata.set("tokenizer.chat_template", chat->get<std::string>());
  return {};
}

}  // namespace weft
