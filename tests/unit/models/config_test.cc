// Metadata that no model can have: one error each, naming the key or weight.
#include "models/registry.h"
#include "support/support.h"

namespace weft {
namespace {

using test::run;

struct File {
  Metadata metadata{"toy.gguf"};
  std::vector<TensorInfo> tensors;
};

// A llama of one layer; tensors have shapes but no bytes, which building does not read.
File good_file() {
  File f;
  f.metadata.set("general.architecture", std::string("llama"));
  const std::pair<const char*, int64_t> numbers[] = {
      {"block_count", 1},          {"embedding_length", 8},        {"feed_forward_length", 16},
      {"attention.head_count", 2}, {"attention.head_count_kv", 1}, {"context_length", 64},
      {"vocab_size", 10}};
  for (auto [key, value] : numbers) f.metadata.set("llama." + std::string(key), value);
  auto add = [&](const char* name, std::vector<int64_t> shape) {
    f.tensors.push_back({.name = name, .dtype = DType::f32, .shape = std::move(shape)});
  };
  add("token_embd.weight", {10, 8});
  add("output_norm.weight", {8});
  add("blk.0.attn_norm.weight", {8});
  add("blk.0.attn_q.weight", {8, 8});
  add("blk.0.attn_k.weight", {4, 8});
  add("blk.0.attn_v.weight", {4, 8});
  add("blk.0.attn_output.weight", {8, 8});
  add("blk.0.ffn_norm.weight", {8});
  add("blk.0.ffn_gate.weight", {16, 8});
  add("blk.0.ffn_up.weight", {16, 8});
  add("blk.0.ffn_down.weight", {8, 16});
  return f;
}

Result<Model> build(File f, ModelOptions options = {.kv = DType::f32}) {
  std::vector<std::unique_ptr<ByteSource>> sources;
  sources.push_back(test::memory_source("toy.gguf", std::string(64, '\0')));
  auto file =
      std::make_shared<TensorFile>(FileFormat::gguf, std::move(f.metadata), std::move(f.tensors), std::move(sources));
  WEFT_TRY(auto weights, Weights::create(file));
  return run(build_model(*weights, options));
}

TEST(Config, AGoodFileBuildsBothGraphs) {
  ASSERT_OK_AND(const Model model, build(good_file()));
  EXPECT_EQ(model.graphs.size(), 2u);
  ASSERT_NE(model.graph("decode_embeddings"), nullptr);
  EXPECT_EQ(model.weights.size(), 11u);  // shared by both graphs, the embedding tied
  EXPECT_EQ(model.states.size(), 2u);
  EXPECT_EQ(model.vocab_size, 10);
  EXPECT_EQ(model.context_length, 64);
}

struct Case {
  const char* key;
  MetaValue value;
  Code code;
};

TEST(Config, EveryBadNumberNamesItsKey) {
  const Case cases[] = {
      {"llama.block_count", int64_t{0}, Code::bad_file},
      {"llama.block_count", int64_t{1} << 40, Code::bad_file},
      {"llama.block_count", std::string("one"), Code::bad_file},
      {"llama.embedding_length", int64_t{-8}, Code::bad_file},
      {"llama.attention.head_count", int64_t{3}, Code::bad_file},
      {"llama.attention.head_count_kv", int64_t{0}, Code::bad_file},
      {"llama.attention.key_length", int64_t{5}, Code::bad_file},
      {"llama.attention.value_length", int64_t{6}, Code::bad_file},
      {"llama.attention.layer_norm_rms_epsilon", -1.0, Code::bad_file},
      {"llama.vocab_size", int64_t{11}, Code::bad_file},
      {"llama.context_length", int64_t{0}, Code::bad_file},
      {"llama.expert_count", int64_t{8}, Code::unsupported},
      {"llama.rope.scaling.type", std::string("longrope"), Code::unsupported},
      {"llama.rope.freq_base", -3.0, Code::bad_file},
      {"llama.rope.dimension_count", int64_t{100}, Code::bad_file},
  };
  for (const Case& c : cases) {
    File f = good_file();
    f.metadata.set(c.key, c.value);
    const Result<Model> model = build(std::move(f));
    ASSERT_FALSE(model.has_value()) << c.key;
    EXPECT_EQ(code_name(model.error().code), code_name(c.code)) << model.error().message();
    EXPECT_NE(model.error().message().find(c.key), std::string::npos) << model.error().message();
  }
}

TEST(Config, UnknownArchitectureListsTheKnown) {
  File f = good_file();
  f.metadata.set("general.architecture", std::string("mamba9"));
  const Result<Model> model = build(std::move(f));
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, Code::unsupported);
  EXPECT_NE(model.error().message().find("one of llama, qwen2, qwen3, gemma3, found 'mamba9'"), std::string::npos)
      << model.error().message();
}

TEST(Config, MissingWrongAndUnusedTensorsAreNamed) {
  for (size_t i = 0; i < good_file().tensors.size(); ++i) {
    File f = good_file();
    const std::string name = f.tensors[i].name;
    f.tensors.erase(f.tensors.begin() + static_cast<int64_t>(i));
    EXPECT_ERROR(Code::missing_tensor, build(std::move(f)));
    f = good_file();
    f.tensors[i].shape[0] += 8;
    const Result<Model> model = build(std::move(f));
    ASSERT_FALSE(model.has_value()) << name;
  }
  File f = good_file();
  f.tensors.push_back({.name = "blk.0.ffn_gate_inp.weight", .dtype = DType::f32, .shape = {4, 8}});
  EXPECT_ERROR(Code::unsupported, build(std::move(f)));
}

TEST(Config, ACacheOfBlocksNeedsHeadsOfWholeBlocks) {
  EXPECT_ERROR(Code::invalid_argument, build(good_file(), {.kv = DType::q8_0}));
  EXPECT_ERROR(Code::invalid_argument, build(good_file(), {.kv = DType::bf16}));
}

}  // namespace
}  // namespace weft
