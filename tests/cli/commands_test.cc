// The commands and the promises of their output: keys of --json, exact text, files that are whole.
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "file/tensor_file.h"
#include "run_weft.h"

namespace weft::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> keys(const OrderedJson& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}
using Names = std::vector<std::string>;

std::shared_ptr<TensorFile> open(const std::string& path) {
  TestHost host;
  auto file = run(open_tensor_file(host, path));
  EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().message());
  return file ? *file : nullptr;
}

TEST(Program, HelpAndVersion) {
  const Ran version = weft({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(version.out.starts_with("weft ")) << version.out;
  const Ran help = weft({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* command :
       {"generate", "chat", "inspect", "tokenize", "detokenize", "template", "logits", "perplexity", "bench", "devices",
        "tune", "verify", "quantize", "synth", "pull", "completion"}) {
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
    const Ran own = weft({command, "--help"});
    EXPECT_EQ(own.status, 0) << own.err;
    EXPECT_NE(own.out.find("Examples"), std::string::npos) << command;
    EXPECT_EQ(weft({"help", command}).out, own.out);
    EXPECT_EQ(own.out.find('\x1b'), std::string::npos) << "no colours in a pipe";
  }
}

TEST(Program, CompletionsKnowEveryOption) {
  const Ran bash = weft({"completion", "bash"}), zsh = weft({"completion", "zsh"}), fish = weft({"completion", "fish"});
  for (const Ran* ran : {&bash, &zsh, &fish}) {
    EXPECT_EQ(ran->status, 0);
    EXPECT_NE(ran->out.find("quantize"), std::string::npos);
    EXPECT_NE(ran->out.find("retry-wait"), std::string::npos);
  }
  const std::string path = temp_path("completion.bash");
  write_text(
      path,
      bash.out +
          "\nCOMP_WORDS=(weft generate --kv f); COMP_CWORD=3; compopt() { :; }; _weft; echo \"${COMPREPLY[*]}\"\n");
  std::FILE* shell = popen(("bash " + path).c_str(), "r");
  char line[100] = "";
  ASSERT_NE(std::fgets(line, sizeof line, shell), nullptr);
  EXPECT_EQ(pclose(shell), 0);
  EXPECT_STREQ(line, "f32 f16\n");
}

TEST(Program, TheManPageIsTheOneInTheRepository) {
  EXPECT_EQ(weft({"completion", "man"}).out, read_text(source_dir() + "/host/native/cli/man/weft.1"))
      << "run: weft completion man > host/native/cli/man/weft.1";
}

TEST(Tokenize, IdsAndPieces) {
  const Ran ran = weft({"tokenize", "-m", tiny_model(), "-p", "ab \xc3\xa9", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson json = parse_output(ran);
  EXPECT_EQ(keys(json), (Names{"ids", "pieces"}));
  ASSERT_EQ(json["ids"].size(), json["pieces"].size());
  EXPECT_EQ(keys(json["pieces"][0]), (Names{"text", "hex"}));
  std::string bytes, ids;
  for (const auto& piece : json["pieces"]) bytes += piece["hex"].get<std::string>();
  EXPECT_NE(bytes.find("616220c3a9"), std::string::npos) << bytes;
  for (const auto& id : json["ids"]) ids += (ids.empty() ? "" : ",") + dump_json(id);
  EXPECT_NE(weft({"detokenize", "-m", tiny_model(), "--ids", ids, "--skip-special"}).out, "");
  EXPECT_EQ(weft({"detokenize", "-m", tiny_model(), "--ids", ids, "--skip-special"}).out, "ab \xc3\xa9");
  const OrderedJson bare =
      parse_output(weft({"tokenize", "-m", tiny_model(), "-p", "ab \xc3\xa9", "--no-bos", "--json"}));
  EXPECT_EQ(bare["ids"].size() + 1, json["ids"].size());
  EXPECT_EQ(weft({"detokenize", "-m", tiny_model(), "--ids", "1,999999"}).status, 1);
  const Ran from_stdin = weft({"tokenize", "-m", tiny_model(), "-f", "-", "--json"}, {.input = "ab \xc3\xa9"});
  EXPECT_EQ(parse_output(from_stdin)["ids"], json["ids"]);
}

TEST(Tokenize, WeirdPromptsArriveUnchanged) {
  for (const char* text :
       {"{}", "[a,b]", "%%", "--", "-5", "--temp", "a,b", "'q'", "\"q\"", "++", "#x", "a=b", " ", "\n", "\\n"}) {
    const OrderedJson json = parse_output(weft({"tokenize", "-m", tiny_model(), "--no-bos", "-p", text, "--json"}));
    std::string bytes, wanted;
    for (const auto& piece : json["pieces"]) bytes += piece["hex"].get<std::string>();
    for (const char* c = text; *c; ++c) {
      char hex[3];
      std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned char>(*c));
      wanted += hex;
    }
    EXPECT_EQ(bytes, wanted) << text;
  }
}

TEST(Template, ExactWithoutAddedNewline) {
  const std::string jinja = temp_path("chat.jinja"), context = temp_path("context.json");
  write_text(jinja,
             "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}{% if "
             "add_generation_prompt %}<a>{% endif %}");
  write_text(context, R"({"messages": [{"role": "user", "content": "Hi ✓"}], "add_generation_prompt": true})");
  const Ran ran = weft({"template", "--template", jinja, "--context", context, "--bos", "<s>", "--eos", "</s>"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "<s><user>Hi ✓</s><a>");
  EXPECT_EQ(weft({"template", "--template", jinja, "-p", "Hi ✓", "--bos", "<s>", "--eos", "</s>"}).out, ran.out);
  write_text(jinja, "{{ strftime_now('%Y-%m-%d') }}");
  EXPECT_EQ(weft({"template", "--template", jinja, "--context", context, "--now", "2024-07-26T12:00:00"}).out,
            "2024-07-26");
  write_text(jinja, "{% for %}");
  expect_one_line_error(weft({"template", "--template", jinja, "--context", context}), 1, "chat.jinja");
  expect_one_line_error(weft({"template", "-m", tiny_model(), "-p", "x"}), 1, "[no-template]");
}

TEST(Generate, JsonKeysAndSameSeedSameText) {
  const std::vector<std::string> command{"generate", "-m",     tiny_model(), "-p",           "Hello", "-n",
                                         "5",        "--seed", "3",          "--ignore-eos", "--json"};
  const Ran ran = weft(command);
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson json = parse_output(ran);
  EXPECT_EQ(keys(json), (Names{"prompt_ids", "ids", "text", "stop", "stats"}));
  EXPECT_EQ(keys(json["stats"]), (Names{"device", "kernels", "load_ms", "ttft_ms", "prefill_tokens", "prefill_tps",
                                        "decode_tokens", "decode_tps", "submit_us", "peak_bytes"}));
  EXPECT_EQ(json["stop"], "max-tokens");
  EXPECT_EQ(json["ids"].size(), 5u);
  EXPECT_FALSE(json["stats"]["kernels"].empty());
  EXPECT_EQ(parse_output(weft(command))["ids"], json["ids"]);
  std::string ids;
  for (const auto& id : json["prompt_ids"]) ids += (ids.empty() ? "" : ",") + dump_json(id);
  const Ran by_ids =
      weft({"generate", "-m", tiny_model(), "--ids", ids, "-n", "5", "--seed", "3", "--ignore-eos", "--json"});
  EXPECT_EQ(parse_output(by_ids)["ids"], json["ids"]);
  const OrderedJson no_bos =
      parse_output(weft({"generate", "-m", tiny_model(), "-p", "Hello", "--no-bos", "-n", "1", "--json"}));
  EXPECT_EQ(no_bos["prompt_ids"].size() + 1, json["prompt_ids"].size());
}

TEST(Generate, TextStatisticsAndOptions) {
  const Ran ran = weft({"generate", "-m", tiny_model(), "-p", "Hello", "-n", "5", "--temp", "0", "--ignore-eos"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("Hello")) << ran.out;
  for (const char* part : {"cpu", "loaded in", "first token", "prompt", "generation", "peak memory"}) {
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  }
  EXPECT_EQ(ran.err.find('\x1b'), std::string::npos);
  const OrderedJson greedy = parse_output(weft({"generate", "-m", tiny_model(), "-p", "Hello", "-n", "1", "--temp", "0",
                                                "--ignore-eos", "--logprobs", "3", "--json"}));
  ASSERT_EQ(greedy["logprobs"].size(), 1u);
  EXPECT_EQ(greedy["logprobs"][0]["best"].size(), 3u);
  EXPECT_EQ(greedy["logprobs"][0]["best"][0]["id"], greedy["ids"][0]);
  // The token it would choose, forbidden.
  const OrderedJson other =
      parse_output(weft({"generate", "-m", tiny_model(), "-p", "Hello", "-n", "1", "--temp", "0", "--ignore-eos",
                         "--logit-bias", dump_json(greedy["ids"][0]) + "=-inf", "--json"}));
  EXPECT_NE(other["ids"][0], greedy["ids"][0]);
  expect_one_line_error(weft({"generate", "-m", tiny_model(), "-p", "x", "--logit-bias", "1:2"}), 1, "--logit-bias");
  const std::string file = temp_path("prompt.txt");
  write_text(file, "Hello");
  const Ran from_file = weft({"generate", "-m", tiny_model(), "-f", file, "-n", "5", "--temp", "0", "--ignore-eos"});
  EXPECT_EQ("Hello" + from_file.out, ran.out);
}

TEST(Generate, ThreadsPassesAndCpuLevelsGiveTheSameGreedyTokens) {
  const auto ids = [](std::vector<std::string> more) {
    std::vector<std::string> command{"generate", "-m", golden_llama(), "--ids", "1,5,9,13,17",  "-n",    "12",
                                     "--temp",   "0",  "--kv",         "f32",   "--ignore-eos", "--json"};
    command.insert(command.end(), more.begin(), more.end());
    return parse_output(weft(command))["ids"];
  };
  const OrderedJson one = ids({"-t", "1"});
  EXPECT_EQ(one.size(), 12u);
  EXPECT_EQ(ids({"-t", "2"}), one);
  EXPECT_EQ(ids({"--no-passes"}), one);
  EXPECT_EQ(ids({"--cpu-level", "baseline"}), one);
}

TEST(Generate, CtrlCPrintsWhatThereIs) {
  const Ran ran = weft({"generate", "-m", tiny_model(), "-p", "Hello", "-n", "-1", "-c", "512", "--ignore-eos",
                        "--no-passes", "--cpu-level", "baseline", "-t", "1"},
                       {.interrupt_after = 0.3});
  // A fast machine may be done before the signal.
  EXPECT_TRUE(ran.status == 130 || ran.status == 0) << ran.status << ran.err;
  EXPECT_TRUE(ran.out.starts_with("Hello"));
}

TEST(Logits, NumpyArray) {
  const std::string out = temp_path("logits.npy");
  ASSERT_EQ(weft({"logits", "-m", golden_llama(), "--ids", "1,5,9", "-o", out}).status, 0);
  const std::string bytes = read_text(out);
  ASSERT_TRUE(bytes.starts_with(std::string("\x93NUMPY\x01\x00", 8)));
  const size_t header = 10 + static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  EXPECT_EQ(header % 64, 0u);
  EXPECT_NE(bytes.find("'descr': '<f4', 'fortran_order': False, 'shape': (3, 384), "), std::string::npos)
      << bytes.substr(0, 100);
  EXPECT_EQ(bytes.size(), header + 3 * 384 * 4);
  // The likeliest next token is the one greedy generation takes.
  const float* last = reinterpret_cast<const float*>(bytes.data() + header) + 2 * 384;
  const auto best = std::max_element(last, last + 384) - last;
  const OrderedJson json = parse_output(
      weft({"generate", "-m", golden_llama(), "--ids", "1,5,9", "-n", "1", "--temp", "0", "--ignore-eos", "--json"}));
  EXPECT_EQ(json["ids"][0], best);
}

TEST(Perplexity, IsTheMeanOverTheLogits) {
  const OrderedJson json =
      parse_output(weft({"perplexity", "-m", golden_llama(), "--ids", "1,5,9,13", "--kv", "f32", "--json"}));
  EXPECT_EQ(keys(json), (Names{"nll", "tokens", "per_token"}));
  EXPECT_EQ(json["tokens"], 3);
  ASSERT_EQ(json["per_token"].size(), 3u);
  double sum = 0;
  for (const auto& value : json["per_token"]) sum += value.get<double>();
  EXPECT_NEAR(json["nll"].get<double>(), sum / 3, 1e-12);
  // In windows every token is still scored once, the first ones as before.
  std::string ids = "1";
  for (int i = 0; i < 50; ++i) ids += "," + std::to_string(3 + i * 7 % 300);
  const OrderedJson whole =
      parse_output(weft({"perplexity", "-m", golden_llama(), "--ids", ids, "--kv", "f32", "--json"}));
  const OrderedJson windows =
      parse_output(weft({"perplexity", "-m", golden_llama(), "--ids", ids, "--kv", "f32", "-c", "16", "--json"}));
  ASSERT_EQ(windows["per_token"].size(), 50u);
  for (int i = 0; i < 15; ++i)
    EXPECT_NEAR(windows["per_token"][i].get<double>(), whole["per_token"][i].get<double>(), 1e-4);
  EXPECT_EQ(weft({"perplexity", "-m", golden_llama(), "--ids", "1"}).status, 2);
}

TEST(Inspect, MemoryBeforeLoading) {
  const Ran ran = weft({"inspect", "-m", golden_llama(), "--json"});
  const OrderedJson json = parse_output(ran);
  EXPECT_EQ(json["architecture"], "llama");
  EXPECT_EQ(json["format"], "gguf");
  EXPECT_GT(json["parameters"].get<int64_t>(), 10'000);
  EXPECT_FALSE(json["tensors"].empty());
  const int64_t small = json["memory"]["state"].get<int64_t>();
  EXPECT_GT(small, 0);
  const OrderedJson less = parse_output(weft({"inspect", golden_llama(), "-c", "64", "--kv", "f32", "--json"}));
  EXPECT_EQ(less["memory"]["context"], 64);
  // 2 (k, v) * 3 layers * 64 cells * 2 kv heads * 16 * 4 bytes
  EXPECT_EQ(less["memory"]["state"], 2 * 3 * 64 * 2 * 16 * 4);
  for (const char* what : {"file", "weights", "graph", "passes", "plan"}) {
    const Ran dump = weft({"inspect", golden_llama(), std::string("--dump=") + what});
    EXPECT_EQ(dump.status, 0) << dump.err;
    EXPECT_GT(dump.out.size(), 100u) << what;
    EXPECT_EQ(weft({"inspect", golden_llama(), std::string("--dump=") + what}).out, dump.out) << "stable";
  }
  const Ran text = weft({"inspect", tiny_model()});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("memory"), std::string::npos) << text.out;
}

TEST(Bench, Json) {
  const Ran ran =
      weft({"bench", "-m", tiny_model(), "-p", "16", "-n", "8", "-r", "2", "-t", "1,2", "--depth", "8", "--json"});
  const OrderedJson json = parse_output(ran);
  ASSERT_EQ(json["tests"].size(), 4u) << ran.err;
  EXPECT_EQ(json["tests"][0]["test"], "pp16 @ d8");
  EXPECT_EQ(json["tests"][3]["test"], "tg8 @ d8");
  EXPECT_EQ(json["tests"][3]["threads"], 2);
  for (const auto& test : json["tests"]) {
    EXPECT_GT(test["tps"].get<double>(), 0);
    EXPECT_EQ(test["samples"].size(), 2u);
  }
  EXPECT_GT(json["tests"][1]["machine_gb_per_s"].get<double>(), 0.1);
  EXPECT_EQ(weft({"bench", "-m", tiny_model(), "-p", "0", "-n", "4", "-r", "1"}).status, 0);
}

TEST(Verify, GoldenAgreesAndADamagedOneDoesNot) {
  const std::string reference = golden_dir("llama/acts.safetensors");
  const Ran ran = weft({"verify", golden_llama(), "--reference", reference, "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson json = parse_output(ran);
  EXPECT_EQ(keys(json), (Names{"checked", "first_miss", "max_abs", "max_rel"}));
  EXPECT_GT(json["checked"].get<int>(), 50);
  EXPECT_TRUE(json["first_miss"].is_null());
  EXPECT_LT(json["max_abs"].get<double>(), 1e-3);
  const Ran strict = weft({"verify", golden_llama(), "--reference", reference, "--atol", "0", "--rtol", "0", "--json"});
  EXPECT_EQ(strict.status, 1);
  EXPECT_TRUE(parse_output(strict)["first_miss"].is_string());
  const Ran other = weft({"verify", golden_dir("qwen3/model.gguf"), "--reference", reference});
  EXPECT_EQ(other.status, 1);
  EXPECT_EQ(weft({"verify", golden_llama(), "--device", "cpu"}).status, 2);
}

TEST(Synth, EveryTypeGivesFiniteLogits) {
  for (const char* type :
       {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"}) {
    const std::string path = temp_path(std::string("tiny-") + type + ".gguf"), out = temp_path("synth.npy");
    const Ran made = weft({"synth", "tiny", path, "--type", type, "--seed", "5", "--json"});
    ASSERT_EQ(made.status, 0) << made.err;
    const Ran ran = weft({"logits", "-m", path, "--ids", "1,2,3", "-o", out});
    ASSERT_EQ(ran.status, 0) << type << ran.err;
    const std::string bytes = read_text(out);
    const float* values = reinterpret_cast<const float*>(bytes.data() + 128);
    double squares = 0;
    for (int i = 0; i < 3 * 1024; ++i) {
      ASSERT_TRUE(std::isfinite(values[i])) << type;
      squares += values[i] * values[i];
    }
    EXPECT_GT(squares, 0) << type;
  }
}

TEST(Synth, SameSeedSameBytesForAnyNumberOfThreads) {
  const std::string a = temp_path("a.gguf"), b = temp_path("b.gguf"), c = temp_path("c.gguf");
  weft({"synth", "tiny", a, "-t", "1"});
  weft({"synth", "tiny", b, "-t", "3"});
  weft({"synth", "tiny", c, "--seed", "2"});
  EXPECT_EQ(read_text(a), read_text(b));
  EXPECT_NE(read_text(a), read_text(c));
}

TEST(Quantize, FromGguf) {
  const std::string in = temp_path("in.gguf"), out = temp_path("out.gguf");
  ASSERT_EQ(weft({"synth", "tiny", in, "--type", "f32"}).status, 0);
  for (const char* type :
       {"f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"}) {
    const Ran ran = weft({"quantize", in, out, type, "--json"});
    ASSERT_EQ(ran.status, 0) << type << ran.err;
    const auto file = open(out);
    ASSERT_TRUE(file);
    EXPECT_EQ(name(file->find("blk.0.ffn_up.weight")->dtype), type);
    EXPECT_EQ(name(file->find("blk.0.attn_norm.weight")->dtype), "f32");
    // The embedding is the output matrix too.
    const std::string embedding(name(file->find("token_embd.weight")->dtype));
    EXPECT_TRUE(embedding == type || (embedding == "q6_k" && type[0] == 'q')) << type << " " << embedding;
    EXPECT_EQ(file->metadata().keys().size(), open(in)->metadata().keys().size());
    EXPECT_EQ(parse_output(ran)["bytes"], fs::file_size(out));
  }
  ASSERT_EQ(weft({"quantize", in, out, "q4_0", "--pure"}).status, 0);
  EXPECT_EQ(name(open(out)->find("token_embd.weight")->dtype), "q4_0");
  // Every type that says it is the same file again is the same file again.
  ASSERT_EQ(weft({"quantize", in, out, "f32"}).status, 0);
  EXPECT_EQ(weft({"generate", "-m", out, "-p", "a", "-n", "4", "--temp", "0", "--no-echo"}).out,
            weft({"generate", "-m", in, "-p", "a", "-n", "4", "--temp", "0", "--no-echo"}).out);
}

TEST(Quantize, FromSafetensorsGivesTheSameModel) {
  for (const char* golden : {"llama", "qwen2", "qwen3", "gemma3", "llama3_rope"}) {
    const std::string folder = golden_dir(golden) + "/hf", out = temp_path(std::string(golden) + ".gguf");
    const Ran ran = weft({"quantize", folder, out, "f32"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    const Ran verified = weft({"verify", out, "--reference", golden_dir(golden) + "/acts.safetensors"});
    EXPECT_EQ(verified.status, 0) << golden << ": " << verified.err;
  }
}

TEST(Quantize, KeepsTheTokenizerOfAFolder) {
  const auto tokenizer = shared_data("tokenizers/json/gpt2/tokenizer.json");
  if (!tokenizer) GTEST_SKIP() << "skipped: no shared data";
  const std::string folder = temp_path("with-tokenizer"), out = temp_path("with-tokenizer.gguf");
  fs::copy(golden_dir("llama/hf"), folder);
  fs::copy_file(*tokenizer, folder + "/tokenizer.json");
  ASSERT_EQ(weft({"quantize", folder, out, "q8_0"}).status, 0);
  const Ran kept = weft({"tokenize", "-m", out, "-p", "Hello world's 123", "--json"});
  EXPECT_EQ(kept.status, 0) << kept.err;
  EXPECT_EQ(kept.out, weft({"tokenize", "-m", *tokenizer, "-p", "Hello world's 123", "--json"}).out);
}

}  // namespace
}  // namespace weft::test
