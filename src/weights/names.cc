#include "weights/names.h"

#include <optional>

namespace weft {
namespace {

// '#' stands for the number of the layer; the kind (".weight", ".bias") is carried over. The first row that fits wins;
// `only` restricts a row to architectures whose name begins so ("post_attention_layernorm" is two different things).
struct Row {
  std::string_view gguf, hf, only = {};
};
constexpr Row kRows[] = {
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
    {"rope_freqs", "model.rope_freqs"},
    {"blk.#.attn_norm", "model.layers.#.input_layernorm"},
    {"blk.#.attn_q", "model.layers.#.self_attn.q_proj"},
    {"blk.#.attn_k", "model.layers.#.self_attn.k_proj"},
    {"blk.#.attn_v", "model.layers.#.self_attn.v_proj"},
    {"blk.#.attn_output", "model.layers.#.self_attn.o_proj"},
    {"blk.#.attn_q_norm", "model.layers.#.self_attn.q_norm"},
    {"blk.#.attn_k_norm", "model.layers.#.self_attn.k_norm"},
    {"blk.#.post_attention_norm", "model.layers.#.post_attention_layernorm", "gemma"},
    {"blk.#.ffn_norm", "model.layers.#.pre_feedforward_layernorm", "gemma"},
    {"blk.#.post_ffw_norm", "model.layers.#.post_feedforward_layernorm", "gemma"},
    {"blk.#.ffn_norm", "model.layers.#.post_attention_layernorm"},
    {"blk.#.ffn_gate", "model.layers.#.mlp.gate_proj"},
    {"blk.#.ffn_up", "model.layers.#.mlp.up_proj"},
    {"blk.#.ffn_down", "model.layers.#.mlp.down_proj"},
};

// The text that '#' stands for (empty where the pattern has none), or nullopt if `stem` does not fit the pattern.
std::optional<std::string_view> match(std::string_view pattern, std::string_view stem) {
  const size_t hash = pattern.find('#');
  if (hash == pattern.npos) return pattern == stem ? std::optional(std::string_view()) : std::nullopt;
  const std::string_view before = pattern.substr(0, hash), after = pattern.substr(hash + 1);
  if (stem.size() <= before.size() + after.size() || !stem.starts_with(before) || !stem.ends_with(after))
    return std::nullopt;
  const std::string_view number = stem.substr(before.size(), stem.size() - before.size() - after.size());
  if (number.find_first_not_of("0123456789") != number.npos) return std::nullopt;
  return number;
}

std::string translate(std::string_view architecture, std::string_view name, std::string_view Row::* from,
                      std::string_view Row::* to) {
  const size_t dot = name.rfind('.');
  if (dot == name.npos) return std::string(name);
  const std::string_view stem = name.substr(0, dot), kind = name.substr(dot);
  for (const Row& row : kRows) {
    if (!architecture.starts_with(row.only)) continue;
    const auto number = match(row.*from, stem);
    if (!number) continue;
    std::string out(row.*to);
    if (const size_t hash = out.find('#'); hash != out.npos) out.replace(hash, 1, *number);
    return out.append(kind);
  }
  return std::string(name);
}

}  // namespace

std::string hf_name(std::string_view architecture, std::string_view gguf) {
  return translate(architecture, gguf, &Row::gguf, &Row::hf);
}

std::string gguf_name(std::string_view architecture, std::string_view hf) {
  return translate(architecture, hf, &Row::hf, &Row::gguf);
}

std::string plain_hf_name(std::string_view name) {
  constexpr std::string_view kBefore[] = {"language_model.model.", "model.language_model."};
  for (std::string_view prefix : kBefore) {
    if (name.starts_with(prefix)) return "model." + std::string(name.substr(prefix.size()));
  }
  if (name == "language_model.lm_head.weight") return "lm_head.weight";
  return std::string(name);
}

}  // namespace weft
