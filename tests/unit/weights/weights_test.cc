// Weights of the goldens: the GGUF and the safetensors form of each model, written by other programs, must come out
// under the same names, with the same shapes and the same values. And the reading paths on files put together here.
#include "weights/weights.h"

#include <cstring>
#include <filesystem>
#include <set>

#include "base/half.h"
#include "support/support.h"
#include "weights/formats.h"
#include "weights/names.h"
#include "weights/transform.h"

namespace weft::test {
namespace {

constexpr const char* kGoldens[] = {"llama", "llama3_rope", "llama_linear_rope", "llama_yarn", "qwen2",
                                    "qwen3", "gemma3",      "gemma3_linear_rope"};

// Sources that can be mapped or not.
class MapHost : public TestHost {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override {
    if (!std::filesystem::is_regular_file(path)) return fail(Code::not_found, path, "file", "a regular file", "none");
    return memory_source(path, read_text(path), map);
  }
  bool map = true;
};

std::vector<float> values(Weights& weights, const std::string& name) {
  auto info = weights.find(name);
  EXPECT_TRUE(info.has_value()) << info.error().message();
  if (!info) return {};
  auto bytes = run(weights.read(*info));
  EXPECT_TRUE(bytes.has_value());
  int64_t count = 1;
  for (int64_t n : info->shape) count *= n;
  std::vector<float> out(static_cast<size_t>(count));
  EXPECT_EQ(bytes->bytes.size(), static_cast<size_t>(row_bytes(info->dtype, count)));
  dequantize(info->dtype, bytes->bytes.data(), out.data(), count);
  return out;
}

std::shared_ptr<Weights> load(const std::string& path, bool map = true) {
  MapHost host;
  host.map = map;
  auto file = run(open_tensor_file(host, path));
  EXPECT_TRUE(file.has_value()) << file.error().message();
  auto weights = Weights::create(*file);
  EXPECT_TRUE(weights.has_value()) << weights.error().message();
  return *weights;
}

void expect_same(Weights& a, Weights& b) {
  std::set<std::string> names(a.names().begin(), a.names().end());
  // llama3 scaling is a tensor in GGUF and settings in config.json (docs/file-formats.md).
  names.erase("model.rope_freqs.weight");
  EXPECT_EQ(names, std::set<std::string>(b.names().begin(), b.names().end()));
  EXPECT_GT(names.size(), 15u);
  for (const std::string& name : names) {
    ASSERT_OK_AND(const WeightInfo x, a.find(name));
    ASSERT_OK_AND(const WeightInfo y, b.find(name));
    EXPECT_EQ(x.shape, y.shape) << name;
    EXPECT_EQ(values(a, name), values(b, name)) << name;
  }
}

TEST(GoldenWeights, GgufAndSafetensorsAgree) {
  for (const char* golden : kGoldens) {
    SCOPED_TRACE(golden);
    const std::string dir = golden_dir(golden);
    for (bool map : {true, false}) expect_same(*load(dir + "/model.gguf", map), *load(dir + "/hf", map));
  }
}

TEST(GoldenWeights, ShardsAgreeWithTheSingleFile) {
  const std::string dir = golden_dir("qwen2");
  auto sharded = load(dir + "/hf_sharded");
  EXPECT_EQ(sharded->file().parts(), 2);
  expect_same(*sharded, *load(dir + "/hf"));
}

// Every setting that the GGUF form states has the same value in the other, apart from what only one of them has.
TEST(GoldenWeights, SettingsAgree) {
  for (const char* golden : kGoldens) {
    SCOPED_TRACE(golden);
    const std::string dir = golden_dir(golden);
    const auto gguf = load(dir + "/model.gguf"), hf = load(dir + "/hf");
    int compared = 0;
    for (const std::string& key : gguf->metadata().keys()) {
      if (key == "general.type" || key == "general.name" || key == "general.file_type" || key == "tokenizer.ggml.model")
        continue;
      const MetaValue* other = hf->metadata().find(key);
      ASSERT_NE(other, nullptr) << key;
      EXPECT_EQ(*gguf->metadata().find(key), *other) << key;
      ++compared;
    }
    EXPECT_GE(compared, 10);
  }
}

TEST(Names, OneTableBothWays) {
  const std::pair<const char*, const char*> kPairs[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output.weight", "lm_head.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"rope_freqs.weight", "model.rope_freqs.weight"},
      {"blk.12.attn_q.weight", "model.layers.12.self_attn.q_proj.weight"},
      {"blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias"},
      {"blk.0.attn_k_norm.weight", "model.layers.0.self_attn.k_norm.weight"},
      {"blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight"},
      {"blk.7.attn_norm.weight", "model.layers.7.input_layernorm.weight"},
  };
  for (auto [gguf, hf] : kPairs) {
    for (const char* architecture : {"llama", "qwen2", "qwen3", "gemma3"}) {
      EXPECT_EQ(hf_name(architecture, gguf), hf);
      EXPECT_EQ(gguf_name(architecture, hf), gguf);
    }
  }
  EXPECT_EQ(hf_name("llama", "blk.1.ffn_norm.weight"), "model.layers.1.post_attention_layernorm.weight");
  EXPECT_EQ(hf_name("gemma3", "blk.1.ffn_norm.weight"), "model.layers.1.pre_feedforward_layernorm.weight");
  EXPECT_EQ(hf_name("gemma3", "blk.1.post_attention_norm.weight"), "model.layers.1.post_attention_layernorm.weight");
  EXPECT_EQ(hf_name("gemma3", "blk.1.post_ffw_norm.weight"), "model.layers.1.post_feedforward_layernorm.weight");
  EXPECT_EQ(gguf_name("gemma3", "model.layers.1.post_attention_layernorm.weight"), "blk.1.post_attention_norm.weight");
  for (const char* other :
       {"blk..attn_q.weight", "blk.x.attn_q.weight", "blk.1.attn_qx.weight", "attn_q", "", ".", "blk.1"})
    EXPECT_EQ(hf_name("llama", other), other);
  EXPECT_EQ(plain_hf_name("language_model.model.norm.weight"), "model.norm.weight");
  EXPECT_EQ(plain_hf_name("model.language_model.norm.weight"), "model.norm.weight");
  EXPECT_EQ(plain_hf_name("language_model.lm_head.weight"), "lm_head.weight");
  EXPECT_EQ(plain_hf_name("model.norm.weight"), "model.norm.weight");
}

// A llama file put together by hand: q [2 heads * 4, 32] in q8_0 and its bias, an embedding [3, 32] in f32.
struct Built {
  std::shared_ptr<TensorFile> file;
  std::string bytes;
};

Built build(FileFormat format, std::string architecture, std::vector<TensorInfo> tensors, std::string bytes, bool map) {
  Metadata metadata("built");
  metadata.set("general.architecture", architecture);
  metadata.set(architecture + ".attention.head_count", int64_t{2});
  metadata.set(architecture + ".embedding_length", int64_t{8});
  std::vector<std::unique_ptr<ByteSource>> sources;
  sources.push_back(memory_source("built", bytes, map));
  return {std::make_shared<TensorFile>(format, std::move(metadata), std::move(tensors), std::move(sources)), bytes};
}

std::string counting(size_t n) {
  std::string text(n, '\0');
  for (size_t i = 0; i < n; ++i) text[i] = static_cast<char>(i / 34);  // the row's number in every byte of a q8_0 row
  return text;
}

TEST(ReadRows, RopeOrderOfQuantisedRowsInChunks) {
  const std::vector<int64_t> order = {0, 2, 1, 3, 4, 6, 5, 7};  // of 2 heads of 4 rows, as Hugging Face has them
  for (bool map : {true, false}) {
    auto built = build(FileFormat::gguf, "llama", {{"blk.0.attn_q.weight", DType::q8_0, {8, 32}, 0, 0, 8 * 34}},
                       counting(8 * 34), map);
    ASSERT_OK_AND(auto weights, Weights::create(built.file));
    ASSERT_OK_AND(auto q, weights->find("model.layers.0.self_attn.q_proj.weight"));
    EXPECT_EQ(q.head_dim, 4);
    for (int64_t chunk : {1, 34, 4 * 34, 8 * 34, 1 << 20}) {
      std::vector<int64_t> rows;
      ASSERT_OK(run(weights->read_rows(q, chunk, [&](int64_t first, std::span<const std::byte> bytes) {
        EXPECT_EQ(first, static_cast<int64_t>(rows.size()));
        EXPECT_EQ(bytes.size() % (4 * 34), 0u) << "whole heads";
        for (size_t i = 0; i < bytes.size(); i += 34) {
          EXPECT_EQ(bytes[i], bytes[i + 33]);
          rows.push_back(static_cast<int64_t>(bytes[i]));
        }
        return Status{};
      })));
      EXPECT_EQ(rows, order);
    }
    // The same weight in another architecture, or not rotated, stays.
    auto plain = build(FileFormat::gguf, "qwen2", {{"blk.0.attn_q.weight", DType::q8_0, {8, 32}, 0, 0, 8 * 34}},
                       counting(8 * 34), map);
    ASSERT_OK_AND(auto qwen, Weights::create(plain.file));
    ASSERT_OK_AND(auto same, qwen->find("model.layers.0.self_attn.q_proj.weight"));
    ASSERT_OK_AND(auto bytes, run(qwen->read(same)));
    EXPECT_EQ(std::memcmp(bytes.bytes.data(), plain.bytes.data(), plain.bytes.size()), 0);
    EXPECT_EQ(bytes.owned.empty(), map);
  }
}

TEST(ReadRows, BiasAndErrors) {
  const float bias[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  std::string bytes(reinterpret_cast<const char*>(bias), sizeof bias);
  auto built =
      build(FileFormat::gguf, "llama",
            {{"blk.0.attn_q.bias", DType::f32, {8}, 0, 0, 32}, {"blk.0.attn_k.bias", DType::f32, {7}, 0, 0, 28}}, bytes,
            true);
  ASSERT_OK_AND(auto weights, Weights::create(built.file));
  EXPECT_EQ(values(*weights, "model.layers.0.self_attn.q_proj.bias"), (std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7}));
  auto odd = weights->find("model.layers.0.self_attn.k_proj.bias");
  ASSERT_FALSE(odd.has_value());
  EXPECT_EQ(odd.error().code, Code::wrong_shape);
  EXPECT_NE(odd.error().message().find("head size 4, found [7]"), std::string::npos) << odd.error().message();

  auto missing = weights->find("model.layers.0.mlp.up_proj.weight");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::missing_tensor);
  const std::string line = missing.error().message();
  for (const char* part : {"built: ", "'model.layers.0.mlp.up_proj.weight'", "'blk.0.ffn_up.weight'"})
    EXPECT_NE(line.find(part), line.npos) << line;

  // The sink's error ends the reading.
  ASSERT_OK_AND(auto q, weights->find("model.layers.0.self_attn.q_proj.bias"));
  EXPECT_ERROR(Code::cancelled, run(weights->read_rows(q, 1, [&](int64_t, std::span<const std::byte>) -> Status {
                 return fail(Code::cancelled, "test", "stopped");
               })));

  auto twice =
      build(FileFormat::gguf, "llama",
            {{"output.weight", DType::f32, {1}, 0, 0, 4}, {"lm_head.weight", DType::f32, {1}, 0, 4, 4}}, bytes, true);
  EXPECT_ERROR(Code::bad_file, Weights::create(twice.file));
}

TEST(ReadRows, GemmaNormsAndUnalignedData) {
  // 1 + w in f32, though the file has bf16; at an odd address, as safetensors permits.
  std::string bytes = "?";
  const float w[4] = {0.25f, -1.5f, 0.0078125f, 3.0f};
  for (float value : w) {
    const uint16_t half = f32_to_bf16(value);
    bytes.append(reinterpret_cast<const char*>(&half), 2);
  }
  bytes.append(reinterpret_cast<const char*>(w), sizeof w);
  for (bool map : {true, false}) {
    auto built = build(
        FileFormat::safetensors, "gemma3",
        {{"model.norm.weight", DType::bf16, {4}, 0, 1, 8}, {"model.table", DType::f32, {2, 2}, 0, 9, 16}}, bytes, map);
    ASSERT_OK_AND(auto weights, Weights::create(built.file));
    ASSERT_OK_AND(auto norm, weights->find("model.norm.weight"));
    EXPECT_EQ(norm.dtype, DType::f32);
    EXPECT_EQ(values(*weights, "model.norm.weight"), (std::vector<float>{1.25f, -0.5f, 1.0078125f, 4.0f}));
    ASSERT_OK_AND(auto table, weights->find("model.table"));
    ASSERT_OK_AND(auto read, run(weights->read(table)));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.bytes.data()) % 4, 0u) << "callers look at it as floats";
    EXPECT_EQ(values(*weights, "model.table"), std::vector<float>(w, w + 4));
  }
}

TEST(Weights, ATiedHeadIsLeftOut) {
  Metadata metadata("tied");
  metadata.set("general.architecture", std::string("llama"));
  metadata.set("weft.tie_word_embeddings", true);
  std::vector<std::unique_ptr<ByteSource>> sources;
  sources.push_back(memory_source("tied", std::string(4, '\0')));
  auto file = std::make_shared<TensorFile>(FileFormat::safetensors, metadata,
                                           std::vector<TensorInfo>{{"lm_head.weight", DType::f32, {1}, 0, 0, 4}},
                                           std::move(sources));
  ASSERT_OK_AND(auto weights, Weights::create(file));
  EXPECT_FALSE(weights->has("lm_head.weight"));
  EXPECT_TRUE(weights->names().empty());
}

}  // namespace
}  // namespace weft::test
