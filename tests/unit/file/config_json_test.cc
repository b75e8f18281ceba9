// config.json to metadata: the fields of published configurations (facts of the Gemma 3, Llama 3.2 and Qwen releases),
// both spellings of rope parameters, and wrong types.
#include "file/config_json.h"

#include "support/support.h"

namespace weft::test {
namespace {

Result<Metadata> convert(const std::string& text) {
  auto json = parse_json(text, "config.json");
  EXPECT_TRUE(json.has_value()) << text;
  return metadata_from_config(*json, "config.json", "model");
}

std::string llama(const std::string& more) {
  return R"({"model_type":"llama","hidden_size":2048,"num_hidden_layers":16,"intermediate_size":8192,)"
         R"("num_attention_heads":32,"num_key_value_heads":8,"head_dim":64,"vocab_size":128256,)"
         R"("max_position_embeddings":131072,"rms_norm_eps":1e-05)" +
         more + "}";
}

int64_t integer(const Metadata& m, std::string_view key) {
  const auto* value = m.peek<int64_t>(key);
  return value ? *value : -1;
}
double number(const Metadata& m, std::string_view key) {
  const auto* value = m.peek<double>(key);
  return value ? *value : -1;
}

TEST(ConfigJson, Llama3) {
  ASSERT_OK_AND(auto m, convert(llama(R"(,"tie_word_embeddings":true,"rope_theta":500000.0,"hidden_act":"silu",
      "bos_token_id":128000,"eos_token_id":[128001,128008,128009],"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,
      "low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"})")));
  EXPECT_EQ(integer(m, "llama.vocab_size"), 128256);
  EXPECT_EQ(integer(m, "llama.context_length"), 131072);
  EXPECT_EQ(integer(m, "llama.embedding_length"), 2048);
  EXPECT_EQ(integer(m, "llama.block_count"), 16);
  EXPECT_EQ(integer(m, "llama.feed_forward_length"), 8192);
  EXPECT_EQ(integer(m, "llama.attention.head_count"), 32);
  EXPECT_EQ(integer(m, "llama.attention.head_count_kv"), 8);
  EXPECT_EQ(integer(m, "llama.attention.key_length"), 64);
  EXPECT_EQ(integer(m, "llama.attention.value_length"), 64);
  EXPECT_EQ(integer(m, "llama.rope.dimension_count"), 64);
  EXPECT_EQ(number(m, "llama.attention.layer_norm_rms_epsilon"), static_cast<double>(1e-5f));  // as in a GGUF
  EXPECT_EQ(number(m, "llama.rope.freq_base"), 500000);
  EXPECT_EQ(*m.peek<std::string>("llama.rope.scaling.type"), "llama3");
  EXPECT_EQ(number(m, "llama.rope.scaling.factor"), 32);
  EXPECT_EQ(number(m, "llama.rope.scaling.low_freq_factor"), 1);
  EXPECT_EQ(number(m, "llama.rope.scaling.high_freq_factor"), 4);
  EXPECT_EQ(integer(m, "llama.rope.scaling.original_context_length"), 8192);
  EXPECT_EQ(*m.peek<bool>("weft.tie_word_embeddings"), true);
  EXPECT_EQ(*m.peek<std::string>("weft.hidden_act"), "silu");
  EXPECT_EQ(integer(m, "tokenizer.ggml.bos_token_id"), 128000);
  EXPECT_EQ(integer(m, "tokenizer.ggml.eos_token_id"), 128001);
  EXPECT_EQ(m.peek<std::vector<int64_t>>("weft.eos_token_ids")->size(), 3u);
  EXPECT_FALSE(m.has("llama.attention.sliding_window"));
}

TEST(ConfigJson, BothSpellingsOfRope) {
  ASSERT_OK_AND(auto before, convert(llama(R"(,"rope_theta":1e6,"rope_scaling":{"type":"linear","factor":4})")));
  ASSERT_OK_AND(auto after,
                convert(llama(R"(,"rope_parameters":{"rope_theta":1e6,"rope_type":"linear","factor":4.0})")));
  EXPECT_EQ(before.keys(), after.keys());
  for (const std::string& key : before.keys()) EXPECT_EQ(*before.find(key), *after.find(key)) << key;
  EXPECT_EQ(*after.peek<std::string>("llama.rope.scaling.type"), "linear");
  EXPECT_EQ(number(after, "llama.rope.scaling.factor"), 4);

  ASSERT_OK_AND(auto yarn, convert(llama(R"(,"rope_scaling":{"rope_type":"yarn","factor":4.0,"beta_fast":4,
      "attention_factor":1.25,"original_max_position_embeddings":32768})")));
  EXPECT_EQ(integer(yarn, "llama.rope.scaling.original_context_length"), 32768);
  EXPECT_EQ(number(yarn, "llama.rope.scaling.yarn_beta_fast"), 4);
  EXPECT_FALSE(yarn.has("llama.rope.scaling.yarn_beta_slow"));
  EXPECT_EQ(number(yarn, "llama.rope.scaling.attention_factor"), 1.25);
  ASSERT_OK_AND(auto plain, convert(llama(R"(,"rope_scaling":null)")));
  EXPECT_FALSE(plain.has("llama.rope.scaling.type"));
  EXPECT_EQ(number(plain, "llama.rope.freq_base"), 10000);
}

TEST(ConfigJson, Gemma3) {
  // The 1B's own file, and the 4B's, which leaves nearly everything to the defaults of its class.
  ASSERT_OK_AND(auto one, convert(R"({"model_type":"gemma3_text","hidden_size":1152,"intermediate_size":6912,
      "num_hidden_layers":26,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":256,"vocab_size":262144,
      "max_position_embeddings":32768,"rms_norm_eps":1e-06,"rope_theta":1000000,"rope_local_base_freq":10000,
      "rope_scaling":null,"sliding_window":512,"sliding_window_pattern":6,"query_pre_attn_scalar":256,
      "attn_logit_softcapping":null,"final_logit_softcapping":30.0,"hidden_activation":"gelu_pytorch_tanh"})"));
  EXPECT_EQ(*one.peek<std::string>("general.architecture"), "gemma3");
  EXPECT_EQ(integer(one, "gemma3.attention.sliding_window"), 512);
  EXPECT_EQ(integer(one, "gemma3.attention.sliding_window_pattern"), 6);
  EXPECT_EQ(number(one, "gemma3.rope.freq_base"), 1e6);
  EXPECT_EQ(number(one, "gemma3.rope.freq_base_swa"), 1e4);
  EXPECT_EQ(number(one, "gemma3.attention.scale"), 0.0625);
  EXPECT_EQ(number(one, "gemma3.final_logit_softcapping"), 30);
  EXPECT_FALSE(one.has("gemma3.attn_logit_softcapping"));
  EXPECT_EQ(*one.peek<bool>("weft.tie_word_embeddings"), true);
  EXPECT_EQ(*one.peek<std::string>("weft.hidden_act"), "gelu_pytorch_tanh");

  ASSERT_OK_AND(auto four, convert(R"({"model_type":"gemma3","eos_token_id":[1,106],"text_config":{"hidden_size":2560,
      "intermediate_size":10240,"model_type":"gemma3_text","num_hidden_layers":34,"rope_scaling":{"factor":8.0,
      "rope_type":"linear"},"sliding_window":1024}})"));
  EXPECT_EQ(integer(four, "gemma3.attention.head_count"), 8);
  EXPECT_EQ(integer(four, "gemma3.attention.head_count_kv"), 4);
  EXPECT_EQ(integer(four, "gemma3.attention.key_length"), 256);
  EXPECT_EQ(integer(four, "gemma3.vocab_size"), 262208);
  EXPECT_EQ(integer(four, "gemma3.context_length"), 131072);
  EXPECT_EQ(number(four, "gemma3.rope.scaling.factor"), 8);
  EXPECT_EQ(integer(four, "gemma3.attention.sliding_window_pattern"), 6);
  EXPECT_EQ(*four.peek<std::vector<int64_t>>("weft.eos_token_ids"), (std::vector<int64_t>{1, 106}));
}

TEST(ConfigJson, SlidingLayers) {
  auto layers = [](const std::string& types) {
    return convert(
        R"({"model_type":"gemma3_text","hidden_size":8,"num_hidden_layers":4,"intermediate_size":8,"layer_types":[)" +
        types + "]}");
  };
  const std::string full = "\"full_attention\"", slides = "\"sliding_attention\"";
  ASSERT_OK_AND(auto regular, layers(slides + "," + full + "," + slides + "," + full));
  EXPECT_EQ(integer(regular, "gemma3.attention.sliding_window_pattern"), 2);
  ASSERT_OK_AND(auto irregular, layers(slides + "," + full + "," + full + "," + slides));
  EXPECT_EQ(*irregular.peek<std::vector<bool>>("gemma3.attention.sliding_window_pattern"),
            (std::vector<bool>{true, false, false, true}));
  EXPECT_ERROR(Code::bad_file, layers(full));
  EXPECT_ERROR(Code::unsupported, layers(full + "," + full + "," + full + ",\"linear_attention\""));

  const std::string qwen = R"({"model_type":"qwen2","hidden_size":8,"num_hidden_layers":3,"intermediate_size":8,
      "num_attention_heads":2,"vocab_size":9,"max_position_embeddings":9,"sliding_window":5,"max_window_layers":2)";
  ASSERT_OK_AND(auto off, convert(qwen + R"(,"use_sliding_window":false})"));
  EXPECT_FALSE(off.has("qwen2.attention.sliding_window"));
  ASSERT_OK_AND(auto on, convert(qwen + R"(,"use_sliding_window":true})"));
  EXPECT_EQ(*on.peek<std::vector<bool>>("qwen2.attention.sliding_window_pattern"),
            (std::vector<bool>{false, false, true}));
}

TEST(ConfigJson, WrongFields) {
  auto refused = [](const std::string& text, Code code, std::initializer_list<std::string_view> parts) {
    auto m = convert(text);
    ASSERT_FALSE(m.has_value()) << text;
    const std::string line = m.error().message();
    EXPECT_EQ(code_name(m.error().code), code_name(code)) << line;
    EXPECT_TRUE(line.starts_with("config.json: ")) << line;
    for (std::string_view part : parts) EXPECT_NE(line.find(part), line.npos) << line << "\n  lacks: " << part;
  };
  refused("[]", Code::bad_file, {"a JSON object", "array"});
  refused("{}", Code::bad_file, {"'model_type'", "a string", "nothing"});
  refused(R"({"model_type":5})", Code::bad_file, {"'model_type'", "found 5"});
  refused(R"({"model_type":"llama"})", Code::bad_file, {"'hidden_size'", "an integer", "nothing"});
  refused(llama(R"(,"rope_theta":"big")"), Code::bad_file, {"'rope_theta'", "\"big\""});
  refused(llama(R"(,"rope_theta":1e300)"), Code::bad_file, {"'rope_theta'"});
  refused(llama(R"(,"rope_scaling":[])"), Code::bad_file, {"'rope_scaling'", "an object"});
  refused(llama(R"(,"rope_scaling":{"rope_type":"linear","factor":"x"})"), Code::bad_file, {"'rope_scaling.factor'"});
  refused(llama(R"(,"tie_word_embeddings":1)"), Code::bad_file, {"'tie_word_embeddings'", "true or false"});
  refused(llama(R"(,"eos_token_id":[1,"a"])"), Code::bad_file, {"'eos_token_id'"});
  refused(llama(R"(,"partial_rotary_factor":2)"), Code::bad_file, {"'partial_rotary_factor'"});
  for (const char* size : {"0", "-1", "1.5", "4294967296", "18446744073709551615", "\"8\"", "true", "[]"})
    refused(R"({"model_type":"llama","hidden_size":)" + std::string(size) + "}", Code::bad_file,
            {"'hidden_size'", "1 to 2147483647"});
  ASSERT_OK_AND(auto unknown, convert(R"({"model_type":"bert","hidden_size":"?"})"));
  EXPECT_EQ(*unknown.peek<std::string>("general.architecture"), "bert");
}

}  // namespace
}  // namespace weft::test
