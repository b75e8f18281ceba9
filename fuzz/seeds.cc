// fuzz_seeds FOLDER: writes small good inputs into FOLDER/<fuzzer>/, from which the fuzzers begin.
#include <sys/stat.h>

#include <cstdio>
#include <string>

#include "file/gguf_writer.h"

namespace {

using namespace weft;

struct StringSink : ByteSink {
  const std::string& name() const override { return label; }
  Status write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Status commit() override { return {}; }
  std::string label = "seed", text;
};

bool save(const std::string& folder, const std::string& name, const std::string& text) {
  mkdir(folder.c_str(), 0777);
  std::FILE* file = std::fopen((folder + "/" + name).c_str(), "wb");
  const bool good = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return file && std::fclose(file) == 0 && good;
}

// A model of the architecture with one tensor of each interesting kind.
std::string gguf(const std::string& architecture, DType type, bool split) {
  StringSink sink;
  GgufWriter w(sink);
  bool good = w.set("general.architecture", architecture).has_value();
  good &= w.set(architecture + ".attention.head_count", int64_t{2}).has_value();
  good &= w.set(architecture + ".embedding_length", int64_t{4}).has_value();
  good &= w.set("f", 0.5).has_value() && w.set("b", true).has_value();
  good &= w.set("ints", std::vector<int64_t>{1, -2}).has_value();
  good &= w.set("floats", std::vector<double>{1, 0.1}).has_value();
  good &= w.set("bools", std::vector<bool>{true, false}).has_value();
  good &= w.set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"}).has_value();
  if (split) {
    good &= w.set("split.no", int64_t{0}).has_value() && w.set("split.count", int64_t{2}).has_value();
    good &= w.set("split.tensors.count", int64_t{4}).has_value();
  }
  const int64_t row = std::max(info(type).block, 4);
  good &= w.add_tensor("token_embd.weight", type, {2, row}).has_value();
  good &= w.add_tensor("blk.0.attn_q.weight", DType::q4_0, {4, 32}).has_value();
  good &= w.add_tensor("blk.0.attn_q.bias", DType::f16, {4}).has_value();
  good &= w.add_tensor("s", DType::bf16, {}).has_value();
  good &= w.begin().has_value();
  const std::string data(static_cast<size_t>(2 * row_bytes(type, row)) + 4 * 18 + 8 + 2, '\3');
  good &= w.write(std::as_bytes(std::span(data))).has_value() && w.end().has_value();
  return good ? sink.text : std::string();
}

constexpr const char* kConfigs[] = {
    R"({"model_type":"llama","hidden_size":8,"num_hidden_layers":2,"intermediate_size":16,"num_attention_heads":2,)"
    R"("num_key_value_heads":1,"head_dim":4,"vocab_size":10,"max_position_embeddings":64,"rms_norm_eps":1e-5,)"
    R"("bos_token_id":1,"eos_token_id":[2,3],"rope_theta":10000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,)"
    R"("low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64},"tie_word_embeddings":true})",
    R"({"model_type":"gemma3_text","hidden_size":8,"num_hidden_layers":2,"intermediate_size":16,"sliding_window":8,)"
    R"("layer_types":["sliding_attention","full_attention"],"final_logit_softcapping":30.0,"query_pre_attn_scalar":24,)"
    R"("rope_parameters":{"full_attention":{"rope_theta":1e6,"rope_type":"linear","factor":8},)"
    R"("sliding_attention":{"rope_theta":1e4,"rope_type":"default"}}})",
    R"({"model_type":"gemma3","text_config":{"hidden_size":8,"num_hidden_layers":2,"intermediate_size":16}})",
    R"({"model_type":"qwen2","hidden_size":8,"num_hidden_layers":2,"intermediate_size":16,"num_attention_heads":2,)"
    R"("vocab_size":10,"max_position_embeddings":64,"use_sliding_window":true,"sliding_window":4,"max_window_layers":1,)"
    R"("rope_parameters":{"rope_theta":1e6,"rope_type":"yarn","factor":4,"beta_fast":32,"attention_factor":1.1}})",
};
constexpr const char* kHeader =
    R"(={"__metadata__":{"format":"pt"},"model.norm.weight":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},)"
    R"("lm_head.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[4,12]},)"
    R"("h":{"dtype":"F16","shape":[1],"data_offsets":[12,14]}})";

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1];
  mkdir(folder.c_str(), 0777);
  bool good = true;
  int number = 0;
  for (const char* architecture : {"llama", "gemma3"}) {
    for (DType type : {DType::f32, DType::f16, DType::q8_0, DType::q5_1, DType::q2_k, DType::q6_k}) {
      for (char choice : {'\0', '\1', '\2'}) {
        const std::string bytes = gguf(architecture, type, choice & 2);
        good &= !bytes.empty() && save(folder + "/gguf_fuzz", std::to_string(number++), bytes + choice);
      }
    }
  }
  const std::string data(14, '\1'), cut = "\n@@\n";
  for (const char* config : kConfigs) {
    good &= save(folder + "/safetensors_fuzz", std::to_string(number++), config + cut + kHeader + data);
    good &= save(folder + "/safetensors_fuzz", std::to_string(number++),
                 config + cut + cut + R"({"weight_map":{"h":"shard.safetensors"}})" + cut + kHeader + data + cut +
                     R"({"add_bos_token":true,"chat_template":[{"name":"default","template":"x"}]})" + cut +
                     R"({"eos_token_id":[3,4]})");
  }
  if (!good) std::fprintf(stderr, "fuzz_seeds: cannot write to %s\n", folder.c_str());
  return good ? 0 : 1;
}
