// The safetensors reader: files put together by hand, damage, shards and folders.
#include "file/safetensors.h"

#include <random>

#include "base/json.h"
#include "unit/file/memory_host.h"

namespace weft::test {
namespace {

std::string with_header(std::string_view json, size_t data) {
  const uint64_t length = json.size();
  std::string text(reinterpret_cast<const char*>(&length), 8);
  return text.append(json).append(data, '\1');
}

constexpr std::string_view kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
    R"("a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}  )";

constexpr std::string_view kConfig =
    R"({"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"intermediate_size":16,"num_attention_heads":2,)"
    R"("vocab_size":10,"max_position_embeddings":64,"rms_norm_eps":1e-5,"bos_token_id":1,"eos_token_id":[2,3]})";

Result<std::shared_ptr<TensorFile>> open_bytes(std::string bytes, bool map = true) {
  static MemoryHost host;
  host.map = map;
  host.files["d/m.safetensors"] = std::move(bytes);
  return run(open_tensor_file(host, "d/m.safetensors"));
}

void expect_line(const Result<std::shared_ptr<TensorFile>>& file, Code code,
                 std::initializer_list<std::string_view> parts) {
  ASSERT_FALSE(file.has_value()) << "opened";
  const std::string line = file.error().message();
  EXPECT_EQ(code_name(file.error().code), code_name(code)) << line;
  for (std::string_view part : parts) EXPECT_NE(line.find(part), line.npos) << line << "\n  lacks: " << part;
}

TEST(Safetensors, SingleFileWithoutConfig) {
  for (bool map : {true, false}) {
    ASSERT_OK_AND(auto file, open_bytes(with_header(kTwo, 28), map));
    EXPECT_EQ(file->format(), FileFormat::safetensors);
    ASSERT_EQ(file->tensors().size(), 2u);
    EXPECT_EQ(file->tensors()[0].name, "a");
    EXPECT_EQ(file->tensors()[0].dtype, DType::bf16);
    EXPECT_EQ(file->find("b")->shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(file->find("b")->offset, 8 + kTwo.size() + 4);
    EXPECT_EQ(file->find("b")->bytes, 24u);
    EXPECT_EQ(*file->metadata().peek<std::string>("safetensors.format"), "pt");
  }
}

TEST(Safetensors, HostileHeaders) {
  struct Case {
    std::string json;
    size_t data;
    Code code;
    std::vector<std::string_view> parts;
  };
  auto one = [](std::string_view row) { return "{\"t\":" + std::string(row) + "}"; };
  const Case cases[] = {
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), 7, Code::bad_file, {"'t'", "truncated"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), 9, Code::bad_file, {"data", "8 bytes", "found 9"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})"), 12, Code::bad_file, {"'t'", "a hole"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), 8, Code::bad_file, {"'t'", "8 bytes for shape [2]"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), 8, Code::bad_file, {"'t'", "begin <= end"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"), 8, Code::bad_file, {"'t'", "data_offsets"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,-8]})"), 8, Code::bad_file, {"'t'", "data_offsets"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8.0]})"), 8, Code::bad_file, {"'t'", "data_offsets"}},
      {one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,1e400]})"), 8, Code::bad_file, {}},
      {one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), 8, Code::bad_file, {"'t'", "shape"}},
      {one(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})"), 8, Code::bad_file, {"'t'", "shape"}},
      {one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"), 8, Code::bad_file, {"'t'"}},
      {one(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})"), 0, Code::bad_file, {"'t'"}},
      {one(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})"), 4, Code::bad_file, {"'t'"}},
      {one(R"({"dtype":"F64","shape":[1],"data_offsets":[0,8]})"), 8, Code::unsupported, {"'t'", "BF16", "F64"}},
      {one(R"({"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})"), 8, Code::unsupported, {"'t'", "F8_E4M3"}},
      {one(R"({"dtype":3,"shape":[1],"data_offsets":[0,8]})"), 8, Code::bad_file, {"'t'", "dtype"}},
      {one("7"), 8, Code::bad_file, {"'t'", "dtype", "nothing"}},
      {"{\"__metadata__\":[]}", 0, Code::bad_file, {"__metadata__", "array"}},
      {"{\"__metadata__\":{\"a\":1}}", 0, Code::bad_file, {"__metadata__ 'a'", "number"}},
      {"{\"t\"", 0, Code::bad_file, {"JSON"}},
      {"{" + std::string(600, '['), 0, Code::limit, {"512"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4,
       Code::bad_file,
       {"twice"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"u":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4,
       Code::bad_file,
       {"'u'", "overlap"}},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"u":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
       12,
       Code::bad_file,
       {"'u'", "overlap"}},
  };
  for (const Case& c : cases) {
    for (bool map : {true, false}) {
      auto file = open_bytes(with_header(c.json, c.data), map);
      ASSERT_FALSE(file.has_value()) << c.json;
      const std::string line = file.error().message();
      EXPECT_EQ(code_name(file.error().code), code_name(c.code)) << line;
      EXPECT_TRUE(line.starts_with("d/m.safetensors: ")) << line;
      for (std::string_view part : c.parts) EXPECT_NE(line.find(part), line.npos) << line << "\n  lacks: " << part;
    }
  }
  ASSERT_OK(open_bytes(with_header("{}", 0)));
  ASSERT_OK(open_bytes(with_header(R"({"e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}})", 0)));
}

TEST(Safetensors, EveryTruncationAndChangedBytes) {
  const std::string good = with_header(kTwo, 28);
  for (size_t cut = 0; cut < good.size(); ++cut) {
    auto file = open_bytes(good.substr(0, cut));
    ASSERT_FALSE(file.has_value()) << cut;
    EXPECT_EQ(code_name(file.error().code), "bad-file") << file.error().message();
  }
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 1 + i % 3; ++k) bad[random() % (8 + kTwo.size())] = static_cast<char>(random());
    auto file = open_bytes(bad, i % 2);
    if (!file) continue;
    for (const TensorInfo& t : (*file)->tensors()) ASSERT_LE(t.offset + t.bytes, bad.size());
  }
  uint64_t huge = uint64_t{1} << 40;
  std::string bad = good;
  std::memcpy(bad.data(), &huge, 8);
  expect_line(open_bytes(bad), Code::bad_file, {"GGUF or safetensors"});
  huge = 90'000'000;  // plausible, but not there
  std::memcpy(bad.data(), &huge, 8);
  expect_line(open_bytes(bad), Code::bad_file, {"truncated", "90000000"});
}

MemoryHost folder() {
  MemoryHost host;
  host.files["m/config.json"] = kConfig;
  host.files["m/model.safetensors"] = with_header(kTwo, 28);
  host.files["m/tokenizer.json"] = "{\"model\":{}}";
  host.files["m/generation_config.json"] = R"({"eos_token_id":[3,4]})";
  host.files["m/tokenizer_config.json"] = R"({"add_bos_token":true,"chat_template":"{{ x }}"})";
  return host;
}

TEST(Safetensors, Folder) {
  MemoryHost host = folder();
  for (const char* path : {"m", "m/", "m/model.safetensors"}) {
    ASSERT_OK_AND(auto file, run(open_tensor_file(host, path)));
    EXPECT_EQ(file->tensors().size(), 2u);
    EXPECT_EQ(file->tokenizer_json, "{\"model\":{}}");
    const Metadata& m = file->metadata();
    EXPECT_EQ(*m.peek<std::string>("general.architecture"), "llama");
    EXPECT_EQ(*m.peek<int64_t>("llama.embedding_length"), 8);
    EXPECT_EQ(*m.peek<int64_t>("tokenizer.ggml.eos_token_id"), 2);
    EXPECT_EQ(*m.peek<std::vector<int64_t>>("weft.eos_token_ids"), (std::vector<int64_t>{2, 3, 4}));
    EXPECT_EQ(*m.peek<bool>("tokenizer.ggml.add_bos_token"), true);
    EXPECT_EQ(*m.peek<std::string>("tokenizer.chat_template"), "{{ x }}");
  }
  host.files["m/chat_template.jinja"] = "{{ y }}";
  ASSERT_OK_AND(auto file, run(open_tensor_file(host, "m")));
  EXPECT_EQ(*file->metadata().peek<std::string>("tokenizer.chat_template"), "{{ y }}");
}

TEST(Safetensors, FolderDamage) {
  MemoryHost host = folder();
  host.files.erase("m/config.json");
  expect_line(run(open_tensor_file(host, "m")), Code::not_found, {"m: ", "a folder with config.json"});
  host = folder();
  host.files.erase("m/model.safetensors");
  expect_line(run(open_tensor_file(host, "m")), Code::not_found, {"model.safetensors.index.json", "neither"});
  host = folder();
  host.files["m/config.json"] = "[1]";
  expect_line(run(open_tensor_file(host, "m")), Code::bad_file, {"m/config.json", "a JSON object", "array"});
  host.files["m/config.json"] = "";
  expect_line(run(open_tensor_file(host, "m")), Code::bad_file, {"m/config.json", "empty"});
  host = folder();
  host.files["m/tokenizer_config.json"] = R"({"add_bos_token":3})";
  expect_line(run(open_tensor_file(host, "m")), Code::bad_file, {"tokenizer_config.json", "add_bos_token", "found 3"});
  host = folder();
  host.files["m/model.safetensors"] = "GGUF but not";
  expect_line(run(open_tensor_file(host, "m")), Code::bad_file, {"m/model.safetensors", "text beginning 'GGUF"});
}

MemoryHost sharded() {
  MemoryHost host;
  host.files["m/config.json"] = kConfig;
  host.files["m/one.safetensors"] = with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  host.files["m/two.safetensors"] = with_header(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  host.files["m/model.safetensors.index.json"] =
      R"({"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})";
  return host;
}

TEST(Safetensors, Sharded) {
  MemoryHost host = sharded();
  ASSERT_OK_AND(auto file, run(open_tensor_file(host, "m")));
  EXPECT_EQ(file->parts(), 2);
  EXPECT_EQ(file->find("a")->part, 0);
  EXPECT_EQ(file->find("b")->part, 1);
  EXPECT_EQ(file->source(1).name(), "m/two.safetensors");

  auto with_index = [](std::string_view index) {
    MemoryHost host = sharded();
    host.files["m/model.safetensors.index.json"] = index;
    return run(open_tensor_file(host, "m"));
  };
  expect_line(with_index(R"({"weight_map":{"a":"one.safetensors","b":"gone.safetensors"}})"), Code::not_found,
              {"gone"});
  expect_line(with_index(R"({"weight_map":{"a":"two.safetensors"}})"), Code::bad_file, {"'a'", "no such tensor"});
  expect_line(with_index(R"({"weight_map":{"a":"two.safetensors","b":"one.safetensors"}})"), Code::bad_file, {"'a'"});
  expect_line(with_index(R"({"weight_map":{"c":"one.safetensors"}})"), Code::bad_file, {"'c'", "no such tensor"});
  for (const char* path : {"../secret", "/etc/passwd", "a/b", "..", "", "c:x", "a\\\\b"})
    expect_line(with_index(R"({"weight_map":{"a":")" + std::string(path) + "\"}}"), Code::bad_file,
                {"weight_map 'a'", "without a path"});
  expect_line(with_index(R"({"weight_map":{"a":1}})"), Code::bad_file, {"'a'", "number"});
  expect_line(with_index(R"({"weight_map":{}})"), Code::bad_file, {"none"});
  expect_line(with_index(R"({})"), Code::bad_file, {"weight_map", "nothing"});
  host.files["m/two.safetensors"] = host.files["m/one.safetensors"];
  expect_line(run(open_tensor_file(host, "m")), Code::bad_file, {"'a'", "each name once"});
}

}  // namespace
}  // namespace weft::test
