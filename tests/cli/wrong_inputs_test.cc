// What people get wrong, each answered by one line that names the thing, and by nothing left behind.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "file/gguf_writer.h"
#include "file/tensor_file.h"
#include "native_host.h"
#include "run_weft.h"

namespace weft::test {
namespace {

namespace fs = std::filesystem;

// The golden llama again, changed by hand.
struct Changes {
  std::string architecture = "llama", missing, reshaped;
};
std::string changed_model(const std::string& name, const Changes& changes) {
  TestHost host;
  auto opened = run(open_tensor_file(host, golden_llama()));
  EXPECT_TRUE(opened.has_value());
  TensorFile& file = **opened;
  const std::string path = temp_path(name);
  auto sink = create_file(path);
  EXPECT_TRUE(sink.has_value());
  GgufWriter writer(**sink);
  EXPECT_OK(writer.set_all(file.metadata()));
  EXPECT_OK(writer.set("general.architecture", changes.architecture));
  for (const TensorInfo& t : file.tensors()) {
    if (t.name == changes.missing) continue;
    std::vector<int64_t> shape = t.shape;
    if (t.name == changes.reshaped) std::swap(shape.front(), shape.back());
    EXPECT_OK(writer.add_tensor(t.name, t.dtype, shape));
  }
  EXPECT_OK(writer.begin());
  for (const TensorInfo& t : file.tensors()) {
    if (t.name == changes.missing) continue;
    std::vector<std::byte> bytes(t.bytes);
    EXPECT_OK(run(file.source(t.part).read(t.offset, bytes)));
    EXPECT_OK(writer.write(bytes));
  }
  EXPECT_OK(writer.end());
  return path;
}

std::string written(const std::string& name, const std::string& bytes) {
  const std::string path = temp_path(name);
  write_text(path, bytes);
  return path;
}

// Every command that opens a model says the same.
void expect_refused(const std::string& path, const std::string& named) {
  expect_one_line_error(weft({"generate", "-m", path, "--ids", "1", "-n", "1"}), 1, named);
  expect_one_line_error(weft({"logits", "-m", path, "--ids", "1", "-o", temp_path("never.npy")}), 1, named);
  EXPECT_FALSE(fs::exists(temp_path("never.npy")));
}

TEST(WrongInputs, MissingFile) {
  expect_refused("/nowhere/model.gguf", "/nowhere/model.gguf");
  expect_one_line_error(weft({"inspect", "none.gguf"}), 1, "none.gguf");
}

TEST(WrongInputs, Directory) {
  const std::string folder = temp_path("empty-folder");
  fs::create_directories(folder);
  expect_refused(folder, folder);
}

TEST(WrongInputs, FilesThatAreNoModels) {
  expect_refused(written("empty.gguf", ""), "empty.gguf");
  expect_refused(written("text.gguf", "This is not a model but a text.\n"), "text.gguf");
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89", 37);
  expect_refused(written("picture.gguf", png), "picture.gguf");
}

TEST(WrongInputs, ByteSwappedGguf) {
  std::string bytes = read_text(golden_llama());
  for (const auto& [at, size] : {std::pair{4, 4}, {8, 8}, {16, 8}})
    std::reverse(bytes.begin() + at, bytes.begin() + at + size);
  const std::string path = written("swapped.gguf", bytes);
  expect_refused(path, "swapped.gguf");
  EXPECT_NE(weft({"inspect", path}).err.find("endian"), std::string::npos) << weft({"inspect", path}).err;
}

TEST(WrongInputs, TruncatedGguf) {
  const std::string bytes = read_text(golden_llama());
  expect_refused(written("cut.gguf", bytes.substr(0, bytes.size() / 2)), "cut.gguf");
  expect_refused(written("cut-header.gguf", bytes.substr(0, 1000)), "cut-header.gguf");
}

TEST(WrongInputs, UnknownArchitecture) {
  const std::string path = changed_model("unknown.gguf", {.architecture = "mamba9"});
  expect_refused(path, "mamba9");
  const Ran inspected = weft({"inspect", path});
  EXPECT_EQ(inspected.status, 0) << inspected.err;
  EXPECT_NE(inspected.out.find("mamba9"), std::string::npos);
}

TEST(WrongInputs, MissingTensor) {
  expect_refused(changed_model("missing.gguf", {.missing = "blk.1.ffn_up.weight"}), "blk.1.ffn_up.weight");
}

TEST(WrongInputs, WrongShape) {
  expect_refused(changed_model("shape.gguf", {.reshaped = "blk.0.ffn_down.weight"}), "0.mlp.down_proj.weight");
}

TEST(WrongInputs, ContextLongerThanTheModels) {
  for (const char* command : {"generate", "inspect"}) {
    std::vector<std::string> arguments{command, "-m", golden_llama(), "-c", "100000"};
    if (command[0] == 'g') arguments.insert(arguments.end(), {"--ids", "1"});
    expect_one_line_error(weft(arguments), 1, "100000");
  }
}

TEST(WrongInputs, PromptThatDoesNotFit) {
  std::string ids = "1";
  for (int i = 0; i < 40; ++i) ids += ",2";
  expect_one_line_error(weft({"generate", "-m", tiny_model(), "-c", "16", "--ids", ids}), 1, "[context-full]");
  expect_one_line_error(weft({"generate", "-m", tiny_model(), "--ids", "1,99999"}), 1, "99999");
  EXPECT_EQ(weft({"generate", "-m", tiny_model(), "--ids", "1,x"}).status, 1);
}

TEST(WrongInputs, UnwritableOutput) {
  const std::string in = golden_llama();
  for (const std::string out : {"/nowhere/out.gguf", "/proc/out.gguf"}) {
    expect_one_line_error(weft({"quantize", in, out, "q8_0"}), 1, out);
    expect_one_line_error(weft({"synth", "tiny", out}), 1, out);
    expect_one_line_error(weft({"logits", "-m", in, "--ids", "1", "-o", out}), 1, out);
  }
  expect_one_line_error(weft({"synth", "tiny", temp_path("")}), 1, temp_path(""));
}

TEST(WrongInputs, FullDisk) {
  const std::string folder = temp_path("full");
  fs::create_directories(folder);
  const std::string out = folder + "/out.gguf";
  const RunOptions full{.file_size_limit = 100'000};
  expect_one_line_error(weft({"quantize", tiny_model(), out, "q4_0"}, full), 1, out);
  expect_one_line_error(weft({"synth", "tiny", out}, full), 1, out);
  expect_one_line_error(
      weft({"logits", "-m", tiny_model(), "--ids",
            "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30", "-o", out},
           full),
      1, out);
  EXPECT_TRUE(fs::is_empty(folder)) << "a full disk must not keep what filled it";
  // /dev/full says that every write fails.
  const Ran ran = weft({"synth", "tiny", "/dev/full"});
  expect_one_line_error(ran, 1, "/dev/full");
}

TEST(WrongInputs, BadJsonThroughEveryDoor) {
  for (const char* text :
       {"{\"messages\": [", "[1, 2", "{\"a\": 1e999999}", "\"\\ud800\"", "nul", "", "{\"a\":\"\xff\"}"}) {
    const std::string path = written("bad.json", text);
    const std::string jinja = written("t.jinja", "{{ messages }}");
    expect_one_line_error(weft({"template", "--template", jinja, "--context", path}), 1, "");
    expect_one_line_error(weft({"tokenize", "-m", path, "-p", "x"}), 1, "bad.json");
  }
  std::string deep(100000, '[');
  expect_one_line_error(weft({"tokenize", "-m", written("deep.json", deep), "-p", "x"}), 1, "deep.json");
}

TEST(WrongInputs, WrongUsageIsStatusTwo) {
  expect_one_line_error(weft({"generate", "--bogus"}), 2, "--bogus");
  expect_one_line_error(weft({"generate", "-n", "many"}), 2, "many");
  expect_one_line_error(weft({"generate", "--temp", "-1"}), 2, "--temp");
  expect_one_line_error(weft({"generate", "--temp", "nan"}), 2, "--temp");
  expect_one_line_error(weft({"generate", "--kv", "q3"}), 2, "--kv");
  expect_one_line_error(weft({"generate", "-p"}), 2, "--prompt");
  expect_one_line_error(weft({"generate", "-p", "a", "--ids", "1"}), 2, "--ids");
  expect_one_line_error(weft({"frobnicate"}), 2, "frobnicate");
  expect_one_line_error(weft({}), 2, "no command");
  expect_one_line_error(weft({"quantize", "a", "b", "q9"}), 2, "q9");
  expect_one_line_error(weft({"synth", "gpt-5", "x.gguf"}), 2, "gpt-5");
  expect_one_line_error(weft({"tokenize"}), 2, "-p");
  expect_one_line_error(weft({"inspect", golden_llama(), "--dump=soul"}), 2, "soul");
  expect_one_line_error(weft({"generate", "-m", golden_llama(), "--device", "webgpu", "--ids", "1"}), 1, "[no-device]");
}

TEST(WrongInputs, AClosedOutputIsAnError) {
  const Ran ran = weft({"tokenize", "-m", tiny_model(), "-p", "Hello"}, {.environment = {}});
  EXPECT_EQ(ran.status, 0);
  std::FILE* shell =
      popen((std::string(WEFT_PROGRAM) + " completion bash > /dev/full 2>/dev/null; echo $?").c_str(), "r");
  char line[16] = "";
  std::fgets(line, sizeof line, shell);
  pclose(shell);
  EXPECT_STREQ(line, "1\n");
}

}  // namespace
}  // namespace weft::test
