#include "models/config.h"

#include <cmath>

#include "weights/formats.h"

namespace weft {
namespace {

class Reader {
 public:
  Reader(const Metadata& metadata, std::string architecture) : m_(metadata), prefix_(std::move(architecture) + ".") {}

  std::string key(std::string_view name) const { return prefix_ + std::string(name); }
  bool has(std::string_view name) const { return m_.has(key(name)); }

  std::unexpected<Error> bad(std::string_view name, std::string expected, std::string found) const {
    return fail(Code::bad_file, m_.source(), "metadata key '" + key(name) + "'", std::move(expected), std::move(found));
  }
  Result<int64_t> integer(std::string_view name, int64_t low, int64_t high) const {
    WEFT_TRY(const int64_t value, m_.get<int64_t>(key(name)));
    if (value < low || value > high) {
      return bad(name, std::to_string(low) + " to " + std::to_string(high), std::to_string(value));
    }
    return value;
  }
  Result<int64_t> integer_or(std::string_view name, int64_t fallback, int64_t low, int64_t high) const {
    return has(name) ? integer(name, low, high) : Result<int64_t>(fallback);
  }
  Result<double> number_or(std::string_view name, double fallback, double low, double high) const {
    WEFT_TRY(const double value, m_.get_or<double>(key(name), fallback));
    if (!(value >= low && value <= high)) {
      return bad(name, std::to_string(low) + " to " + std::to_string(high), std::to_string(value));
    }
    return value;
  }
  Result<std::string> text_or(std::string_view name, const char* fallback) const {
    return m_.get_or<std::string>(key(name), fallback);
  }
  const Metadata& metadata() const { return m_; }

 private:
  const Metadata& m_;
  std::string prefix_;
};

Status read_sizes(const Reader& r, const Weights& weights, Config& c) {
  constexpr int64_t kMax = 1 << 24;
  WEFT_TRY(c.layers, r.integer("block_count", 1, 1 << 12));
  WEFT_TRY(c.width, r.integer("embedding_length", 1, kMax));
  WEFT_TRY(c.ffn, r.integer("feed_forward_length", 1, kMax));
  WEFT_TRY(c.heads, r.integer("attention.head_count", 1, 1 << 16));
  WEFT_TRY(c.kv_heads, r.integer_or("attention.head_count_kv", c.heads, 1, 1 << 16));
  WEFT_TRY(c.context, r.integer("context_length", 1, 1 << 30));
  if (c.heads % c.kv_heads) {
    return r.bad("attention.head_count_kv", "a divisor of the " + std::to_string(c.heads) + " heads",
                 std::to_string(c.kv_heads));
  }
  if (!r.has("attention.key_length") && c.width % c.heads) {
    return r.bad("attention.head_count", "a divisor of the width " + std::to_string(c.width), std::to_string(c.heads));
  }
  WEFT_TRY(c.head_size, r.integer_or("attention.key_length", c.width / c.heads, 2, 1 << 14));
  WEFT_TRY(const int64_t value_size, r.integer_or("attention.value_length", c.head_size, 1, 1 << 14));
  if (c.head_size % 2) return r.bad("attention.key_length", "an even number", std::to_string(c.head_size));
  if (value_size != c.head_size) {
    return r.bad("attention.value_length", "as key_length, " + std::to_string(c.head_size), std::to_string(value_size));
  }
  WEFT_TRY(const double eps, r.number_or("attention.layer_norm_rms_epsilon", 1e-5, 0, 0.1));
  c.eps = static_cast<float>(eps);

  WEFT_TRY(const WeightInfo table, weights.find("model.embed_tokens.weight"));
  if (table.shape.size() != 2) {
    return fail(Code::wrong_shape, r.metadata().source(), "weight 'model.embed_tokens.weight'", "2 dimensions",
                std::to_string(table.shape.size()));
  }
  WEFT_TRY(c.vocabulary, r.integer_or("vocab_size", table.shape[0], 1, 1 << 28));
  if (c.vocabulary != table.shape[0]) {
    return r.bad("vocab_size", "as the rows of model.embed_tokens.weight, " + std::to_string(table.shape[0]),
                 std::to_string(c.vocabulary));
  }
  // Mixtures of experts call themselves by the name of the dense model.
  WEFT_TRY(const int64_t experts, r.integer_or("expert_count", 0, 0, 1 << 20));
  if (experts > 0) {
    return fail(Code::unsupported, r.metadata().source(), "metadata key '" + r.key("expert_count") + "'",
                "0: mixtures of experts are not implemented", std::to_string(experts));
  }
  return {};
}

Status read_rope(const Reader& r, Config& c, double default_base) {
  RopeSettings& s = c.rope;
  WEFT_TRY(s.size, r.integer_or("rope.dimension_count", c.head_size, 2, c.head_size));
  WEFT_TRY(s.base, r.number_or("rope.freq_base", default_base, 1, 1e15));
  WEFT_TRY(const std::string kind, r.text_or("rope.scaling.type", "none"));
  if (kind == "linear")
    s.kind = RopeKind::linear;
  else if (kind == "llama3")
    s.kind = RopeKind::llama3;
  else if (kind == "yarn")
    s.kind = RopeKind::yarn;
  else if (kind != "none" && kind != "default" && !kind.empty()) {
    return fail(Code::unsupported, r.metadata().source(), "metadata key '" + r.key("rope.scaling.type") + "'",
                "none, linear, llama3 or yarn", "'" + kind + "'");
  }
  // Before 2024 GGUF had only the linear factor, under a name of its own.
  if (s.kind == RopeKind::plain && !r.has("rope.scaling.type") && r.has("rope.scale_linear")) {
    WEFT_TRY(s.factor, r.number_or("rope.scale_linear", 1, 1e-6, 1e6));
    s.kind = RopeKind::linear;
  }
  if (s.kind == RopeKind::plain) return {};
  if (s.factor == 1) {
    WEFT_TRY(s.factor, r.number_or("rope.scaling.factor", 1, 1e-6, 1e6));
  }
  WEFT_TRY(const int64_t original, r.integer_or("rope.scaling.original_context_length", c.context, 1, 1 << 30));
  s.original_context = static_cast<double>(original);
  WEFT_TRY(s.low_factor, r.number_or("rope.scaling.low_freq_factor", 1, 1e-6, 1e6));
  WEFT_TRY(s.high_factor, r.number_or("rope.scaling.high_freq_factor", 4, 1e-6, 1e6));
  WEFT_TRY(s.beta_fast, r.number_or("rope.scaling.yarn_beta_fast", 32, 1e-6, 1e6));
  WEFT_TRY(s.beta_slow, r.number_or("rope.scaling.yarn_beta_slow", 1, 1e-6, 1e6));
  WEFT_TRY(s.attention_factor, r.number_or("rope.scaling.attention_factor", 0, 0, 100));
  return {};
}

// The pattern is a period (every nth layer sees everything) or one bool a layer; absent: all slide.
Status read_window(const Reader& r, Config& c) {
  c.slides.assign(static_cast<size_t>(c.layers), false);
  WEFT_TRY(c.window, r.integer_or("attention.sliding_window", 0, 0, 1 << 30));
  const std::string pattern_key = "attention.sliding_window_pattern";
  if (c.window == 0) return {};
  if (const auto* flags = r.metadata().peek<std::vector<bool>>(r.key(pattern_key))) {
    if (static_cast<int64_t>(flags->size()) != c.layers) {
      return r.bad(pattern_key, "one entry a layer, " + std::to_string(c.layers), std::to_string(flags->size()));
    }
    c.slides = *flags;
    return {};
  }
  // Files of gemma3 that do not say follow the published models: five sliding layers, then one that sees everything.
  const int64_t usual = c.architecture == "gemma3" ? 6 : 0;
  WEFT_TRY(const int64_t period, r.integer_or(pattern_key, usual, 1, 1 << 12));
  for (int64_t i = 0; i < c.layers; ++i) c.slides[i] = period == 0 || (i + 1) % period != 0;
  return {};
}

Status read_activation(const Reader& r, Config& c) {
  const bool gemma = c.architecture == "gemma3";
  WEFT_TRY(const std::string act,
           r.metadata().get_or<std::string>("weft.hidden_act", gemma ? "gelu_pytorch_tanh" : "silu"));
  if (act == "silu" || act == "swish")
    c.activation = Activation::silu;
  else if (act == "gelu_pytorch_tanh" || act == "gelu_new" || act == "gelu_fast")
    c.activation = Activation::gelu_tanh;
  else if (act == "gelu")
    c.activation = Activation::gelu;
  else if (act == "relu")
    c.activation = Activation::relu;
  else {
    return fail(Code::unsupported, r.metadata().source(), "hidden_act", "silu, gelu, gelu_pytorch_tanh or relu",
                "'" + act + "'");
  }
  return {};
}

// rope_freqs.weight: how GGUF files carry llama3 scaling (and others): one divisor a frequency.
Task<Status> read_divisors(Weights& weights, Config& c) {
  const std::string name = "model.rope_freqs.weight";
  if (!weights.has(name)) co_return Status{};
  WEFT_CO_TRY(const WeightInfo info, weights.find(name));
  const bool vector = info.shape.size() == 1 && info.shape[0] == c.rope.size / 2;
  if (!vector || !can_dequantize(info.dtype) || is_block(info.dtype)) {
    co_return fail(Code::wrong_shape, weights.file().name(), "weight '" + name + "'",
                   "a float for each of the " + std::to_string(c.rope.size / 2) + " frequencies",
                   std::to_string(info.shape.size()) + " dimensions of " + std::string(weft::name(info.dtype)));
  }
  WEFT_CO_TRY(const WeightBytes bytes, co_await weights.read(info));
  c.rope.divisors.resize(static_cast<size_t>(info.shape[0]));
  dequantize(info.dtype, bytes.bytes.data(), c.rope.divisors.data(), info.shape[0]);
  co_return Status{};
}

}  // namespace

float Config::scale() const {
  return attention_scale > 0 ? attention_scale : 1 / std::sqrt(static_cast<float>(head_size));
}

Task<Result<Config>> read_config(Weights& weights, const ModelOptions& options) {
  Config c;
  WEFT_CO_TRY(c.architecture, weights.metadata().get<std::string>("general.architecture"));
  const Reader r(weights.metadata(), c.architecture);
  WEFT_CO_CHECK_OK(read_sizes(r, weights, c));
  WEFT_CO_CHECK_OK(read_rope(r, c, c.architecture == "gemma3" ? 1e6 : 1e4));
  WEFT_CO_CHECK_OK(read_window(r, c));
  WEFT_CO_CHECK_OK(read_activation(r, c));
  WEFT_CO_TRY(c.sliding_base, r.number_or("rope.freq_base_swa", 10000, 1, 1e15));
  WEFT_CO_TRY(const double scale, r.number_or("attention.scale", 0, 0, 1e3));
  WEFT_CO_TRY(const double attention_cap, r.number_or("attn_logit_softcapping", 0, 0, 1e9));
  WEFT_CO_TRY(const double logit_cap, r.number_or("final_logit_softcapping", 0, 0, 1e9));
  c.attention_scale = static_cast<float>(scale);
  c.attention_cap = static_cast<float>(attention_cap);
  c.logit_cap = static_cast<float>(logit_cap);
  c.kv = options.kv;
  if (c.kv != DType::f32 && c.kv != DType::f16 && c.kv != DType::q8_0) {
    co_return fail(Code::invalid_argument, "kv", "type of the cache", "f32, f16 or q8_0", std::string(name(c.kv)));
  }
  if (c.head_size % info(c.kv).block) {
    co_return fail(Code::invalid_argument, "kv", "type of the cache",
                   "f32 or f16: heads of " + std::to_string(c.head_size) + " are no whole blocks",
                   std::string(name(c.kv)));
  }
  WEFT_CO_CHECK_OK(co_await read_divisors(weights, c));
  co_return c;
}

}  // namespace weft
