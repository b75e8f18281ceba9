#include "synth_shapes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/utf8.h"

namespace weft::cli {
namespace {

constexpr SynthShape kShapes[] = {
    // name, architecture, C, F, H, K, D, L, V, context, tied, rope base, eps, rope factor, q/k/v biases
    {"tiny", "llama", 256, 512, 4, 2, 64, 2, 1024, 512, true, 10000, 1e-5, 0, false},
    {"smollm2-135m", "llama", 576, 1536, 9, 3, 64, 30, 49152, 8192, true, 100000, 1e-5, 0, false},
    {"smollm2-360m", "llama", 960, 2560, 15, 5, 64, 32, 49152, 8192, true, 100000, 1e-5, 0, false},
    {"qwen2.5-0.5b", "qwen2", 896, 4864, 14, 2, 64, 24, 151936, 32768, true, 1000000, 1e-6, 0, true},
    {"llama-3.2-1b", "llama", 2048, 8192, 32, 8, 64, 16, 128256, 131072, true, 500000, 1e-5, 32, false},
    {"llama-3.2-3b", "llama", 3072, 8192, 24, 8, 128, 28, 128256, 131072, true, 500000, 1e-5, 32, false},
    {"llama-3-8b", "llama", 4096, 14336, 32, 8, 128, 32, 128256, 8192, false, 500000, 1e-5, 0, false},
};

// GPT-2's printable stand-in for a byte: printable Latin-1 as it is, the others from U+0100 on.
std::string byte_character(int byte) {
  static const auto table = [] {
    std::vector<std::string> characters(256);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      append_utf8(characters[b], printable ? static_cast<char32_t>(b) : next++);
    }
    return characters;
  }();
  return table[byte];
}

}  // namespace

std::span<const SynthShape> synth_shapes() { return kShapes; }

DType type_for_row(DType type, int64_t row) {
  if (row % info(type).block == 0) return type;
  DType smaller = DType::f16;
  switch (type) {
    case DType::q2_k:
    case DType::q3_k:
      smaller = DType::q4_0;
      break;
    case DType::q4_k:
      smaller = DType::q5_0;
      break;
    case DType::q5_k:
      smaller = DType::q5_1;
      break;
    case DType::q6_k:
      smaller = DType::q8_0;
      break;
    default:
      break;
  }
  return row % info(smaller).block == 0 ? smaller : DType::f16;
}

std::vector<float> llama3_rope_factors(const Llama3Rope& rope, int64_t head_dim) {
  std::vector<float> factors;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    const double turns = rope.original_context / (2 * std::numbers::pi * std::pow(rope.base, exponent));
    // Fast frequencies stay, slow ones are divided, those between go over smoothly.
    const double smooth = std::clamp((turns - rope.low) / (rope.high - rope.low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / ((1 - smooth) / rope.factor + smooth)));
  }
  return factors;
}

std::vector<SynthTensor> synth_tensors(const SynthShape& s, DType type) {
  std::vector<SynthTensor> tensors;
  const auto matrix = [&](std::string name, int64_t rows, int64_t columns, double sigma) {
    tensors.push_back(
        {SynthTensor::Fill::random, std::move(name), type_for_row(type, columns), {rows, columns}, sigma});
  };
  const auto vector = [&](std::string name, int64_t size, SynthTensor::Fill fill) {
    tensors.push_back({fill, std::move(name), DType::f32, {size}, 1});
  };
  // Deviation 1 / sqrt(inputs) keeps every product at the size of its normed input; the two that are added to the
  // residual are divided by sqrt(2 L) besides, so that its variance stays bounded (as in GPT-2's initialisation).
  const double in_c = 1 / std::sqrt(static_cast<double>(s.width)),
               residual = 1 / std::sqrt(2.0 * static_cast<double>(s.layers));
  matrix("token_embd.weight", s.vocab, s.width, 1);
  if (s.rope_factor > 0) vector("rope_freqs.weight", s.head_dim / 2, SynthTensor::Fill::rope_factors);
  const int64_t q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const std::string at = "blk." + std::to_string(layer) + ".";
    vector(at + "attn_norm.weight", s.width, SynthTensor::Fill::ones);
    matrix(at + "attn_q.weight", q, s.width, in_c);
    matrix(at + "attn_k.weight", kv, s.width, in_c);
    matrix(at + "attn_v.weight", kv, s.width, in_c);
    if (s.qkv_bias) {
      vector(at + "attn_q.bias", q, SynthTensor::Fill::small);
      vector(at + "attn_k.bias", kv, SynthTensor::Fill::small);
      vector(at + "attn_v.bias", kv, SynthTensor::Fill::small);
    }
    matrix(at + "attn_output.weight", s.width, q, residual / std::sqrt(static_cast<double>(q)));
    vector(at + "ffn_norm.weight", s.width, SynthTensor::Fill::ones);
    matrix(at + "ffn_gate.weight", s.ffn, s.width, in_c);
    matrix(at + "ffn_up.weight", s.ffn, s.width, in_c);
    matrix(at + "ffn_down.weight", s.width, s.ffn, residual / std::sqrt(static_cast<double>(s.ffn)));
  }
  vector("output_norm.weight", s.width, SynthTensor::Fill::ones);
  if (!s.tied) matrix("output.weight", s.vocab, s.width, in_c);
  return tensors;
}

Metadata synth_metadata(const SynthShape& s, DType type) {
  Metadata meta{std::string(s.name)};
  const std::string arch(s.architecture);
  meta.set("general.architecture", arch);
  meta.set("general.name", std::string(s.name) + " with random weights");
  meta.set("general.type", std::string("model"));
  meta.set("general.file_type", ggml_file_type(type));
  meta.set("general.quantization_version", int64_t{2});
  meta.set(arch + ".context_length", s.context);
  meta.set(arch + ".embedding_length", s.width);
  meta.set(arch + ".block_count", s.layers);
  meta.set(arch + ".feed_forward_length", s.ffn);
  meta.set(arch + ".attention.head_count", s.heads);
  meta.set(arch + ".attention.head_count_kv", s.kv_heads);
  // Readers expect 32-bit floats, which the writer chooses where nothing is lost.
  meta.set(arch + ".attention.layer_norm_rms_epsilon", static_cast<double>(static_cast<float>(s.eps)));
  meta.set(arch + ".rope.freq_base", s.rope_base);
  meta.set(arch + ".rope.dimension_count", s.head_dim);
  meta.set(arch + ".vocab_size", s.vocab);
  add_synth_tokenizer(meta, s.vocab);
  return meta;
}

int64_t ggml_file_type(DType type) {
  switch (type) {
    case DType::f16:
      return 1;
    case DType::q4_0:
      return 2;
    case DType::q4_1:
      return 3;
    case DType::q8_0:
      return 7;
    case DType::q5_0:
      return 8;
    case DType::q5_1:
      return 9;
    case DType::q2_k:
      return 10;
    case DType::q3_k:
      return 12;
    case DType::q4_k:
      return 15;
    case DType::q5_k:
      return 17;
    case DType::q6_k:
      return 18;
    case DType::bf16:
      return 32;
    default:
      return 0;
  }
}

void add_synth_tokenizer(Metadata& meta, int64_t vocab) {
  constexpr int64_t kNormal = 1, kControl = 3;
  std::vector<std::string> tokens, merges;
  for (int b = 0; b < 256; ++b) tokens.push_back(byte_character(b));
  std::vector<std::string> stems{byte_character(' ')};
  for (char c = 'a'; c <= 'z'; ++c) stems.emplace_back(1, c);
  // Every stem with every letter appended, breadth first: both parts of a merge are tokens that came before it.
  for (size_t i = 0; static_cast<int64_t>(tokens.size()) < vocab - 1; ++i) {
    for (char c = 'a'; c <= 'z' && static_cast<int64_t>(tokens.size()) < vocab - 1; ++c) {
      merges.push_back(stems[i] + " " + c);
      stems.push_back(stems[i] + c);
      tokens.push_back(stems.back());
    }
  }
  std::vector<int64_t> types(tokens.size(), kNormal);
  tokens.emplace_back("<|endoftext|>");
  types.push_back(kControl);
  const auto end = static_cast<int64_t>(tokens.size()) - 1;
  meta.set("tokenizer.ggml.model", std::string("gpt2"));
  meta.set("tokenizer.ggml.pre", std::string("gpt-2"));
  meta.set("tokenizer.ggml.tokens", std::move(tokens));
  meta.set("tokenizer.ggml.token_type", std::move(types));
  meta.set("tokenizer.ggml.merges", std::move(merges));
  meta.set("tokenizer.ggml.bos_token_id", end);
  meta.set("tokenizer.ggml.eos_token_id", end);
  meta.set("tokenizer.ggml.add_bos_token", true);
}

}  // namespace weft::cli
