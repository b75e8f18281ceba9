// The commands on a GPU: what --json holds, what is kept in the cache and what is ignored there.
#include <cstdlib>
#include <filesystem>

#include "../run_weft.h"

namespace weft::test {
namespace {

namespace fs = std::filesystem;

class GpuCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("WEFT_TEST_GPU")) return;
    if (on_gpu({"inspect", "-m", tiny_model(), "--device", "webgpu"}).status != 0) GTEST_SKIP() << "skipped: no GPU";
  }
  // One cache folder for the whole run: measuring a software GPU takes seconds.
  static std::string cache() {
    static const std::string folder = temp_path("gpu-cache");
    return folder;
  }
  static Ran on_gpu(std::vector<std::string> arguments) {
    return weft(std::move(arguments), {.environment = {{"WEFT_CACHE", cache()}}});
  }
  // The only file of that kind in the cache.
  static std::string cached(const std::string& kind) {
    std::string found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(cache() + "/gpu", ignored)) {
      if (entry.path().string().ends_with("." + kind + ".json")) {
        EXPECT_EQ(found, "");
        found = entry.path().string();
      }
    }
    return found;
  }
};

void expect_numbers(const OrderedJson& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const OrderedJson* value = json_member(object, name);
    ASSERT_TRUE(value && value->is_number()) << name << " in " << dump_json(object);
    EXPECT_GT(value->get<double>(), 0) << name;
  }
}

TEST_F(GpuCommands, DevicesMeasuresOnce) {
  const Ran first = on_gpu({"devices", "--json"});
  ASSERT_EQ(first.status, 0) << first.err;
  const OrderedJson json = parse_output(first);
  expect_numbers(json["cpu"], {"threads", "read_bandwidth"});
  ASSERT_EQ(json["adapters"].size(), 1u);
  const OrderedJson& gpu = json["adapters"][0];
  EXPECT_EQ(gpu["adapter"], 0);
  EXPECT_EQ(gpu["software"], true);
  for (const char* feature : {"f16", "subgroups", "packed_dot", "subgroup_matrix", "immediates", "timestamps"})
    EXPECT_TRUE(gpu["features"][feature].is_boolean()) << feature;
  expect_numbers(gpu["limits"], {"buffer_bytes", "binding_bytes", "storage_buffers", "workgroup_bytes",
                                 "workgroup_invocations", "workgroups", "offset_alignment"});
  for (const auto& test : gpu["self_test"]) EXPECT_EQ(test["passed"], true) << dump_json(test);
  expect_numbers(gpu["measures"], {"read_bandwidth", "dispatch_us", "read_back_us", "probe_steps"});
  EXPECT_EQ(gpu["measures"]["probe_dispatches"], 152);

  // The same figures again, as text.
  ASSERT_NE(cached("measures"), "");
  EXPECT_EQ(parse_output(on_gpu({"devices", "--json"}))["adapters"][0]["measures"], gpu["measures"]);
  const Ran text = on_gpu({"devices"});
  EXPECT_EQ(text.status, 0) << text.err;
  for (const char* part : {"cpu ", "gpu 0", "features", "limits", "self-test", "probe steps/s (before"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " in " << text.out;
}

TEST_F(GpuCommands, WithoutADriverDevicesFailsButNamesTheProcessor) {
  const RunOptions nowhere{.environment = {{"VK_DRIVER_FILES", "/nonexistent.json"}, {"WEFT_CACHE", cache()}}};
  const Ran ran = weft({"devices", "--json"}, nowhere);
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("[no-device]"), std::string::npos) << ran.err;
  const OrderedJson json = parse_output(ran);
  EXPECT_TRUE(json["cpu"]["name"].is_string());
  EXPECT_EQ(json["adapters"], OrderedJson::array());
  expect_one_line_error(weft({"tune", "-m", tiny_model()}, nowhere), 1, "[no-device]");
  expect_one_line_error(weft({"bench", "-m", tiny_model(), "--device", "webgpu"}, nowhere), 1, "[no-device]");
  expect_one_line_error(on_gpu({"inspect", "-m", tiny_model(), "--device", "webgpu", "--adapter", "7"}), 1,
                        "adapter 7");
}

TEST_F(GpuCommands, InspectPrintsBothPlansForTheDevice) {
  const Ran full = on_gpu({"inspect", tiny_model(), "--device", "webgpu", "--dump=plan"});
  ASSERT_EQ(full.status, 0) << full.err;
  EXPECT_NE(full.out.find("bounds T=1,"), std::string::npos) << full.out.substr(0, 500);
  EXPECT_NE(full.out.find("norm_qkv"), std::string::npos);
  EXPECT_NE(full.out.find("attention.flash"), std::string::npos);
  // The minimum has neither subgroups nor f16.
  const Ran least = on_gpu({"inspect", tiny_model(), "--device", "webgpu", "--caps", "minimum", "--dump=plan"});
  ASSERT_EQ(least.status, 0) << least.err;
  EXPECT_EQ(least.out.find("subgroup"), std::string::npos);
}

TEST_F(GpuCommands, CapsMinimumRestricts) {
  const Ran ran = on_gpu({"devices", "--caps", "minimum", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson gpu = parse_output(ran)["adapters"][0];
  for (const char* feature : {"f16", "subgroups", "packed_dot", "subgroup_matrix", "immediates", "timestamps"})
    EXPECT_EQ(gpu["features"][feature], false) << feature;
  EXPECT_EQ(gpu["limits"]["storage_buffers"], 8);
  EXPECT_EQ(gpu["limits"]["workgroup_bytes"], 16384);
  EXPECT_EQ(gpu["self_test"], OrderedJson::array());
  fs::remove_all(cache() + "/gpu");  // what was measured of it: other tests expect one adapter
}

TEST_F(GpuCommands, BenchTellsWhatATokenCosts) {
  const Ran ran = on_gpu({"bench", "-m", tiny_model(), "--device", "webgpu", "-p", "16", "-n", "8", "-r", "1",
                          "--depth", "4", "--stages", "--burst", "4", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson json = parse_output(ran);
  ASSERT_EQ(json["tests"].size(), 2u);
  expect_numbers(json["tests"][1], {"tps", "bytes_per_step", "gb_per_s", "machine_gb_per_s", "bandwidth_share"});
  const OrderedJson& gpu = json["gpu"];
  expect_numbers(gpu, {"step_us", "dispatches", "gb_per_s", "bandwidth_share", "dispatch_share", "host_us", "ttft_ms",
                       "bytes_in_use", "bytes_predicted"});
  expect_numbers(gpu["bytes"], {"weights", "states", "activations"});
  expect_numbers(gpu["stages"], {"remade_tps", "reused_tps", "pipelined_tps"});
  // Each weight is read once: no more than the file has, no less than its layers.
  const double file = static_cast<double>(fs::file_size(tiny_model()));
  EXPECT_LT(gpu["bytes"]["weights"].get<double>(), 1.2 * file);
  EXPECT_GT(gpu["bytes"]["weights"].get<double>(), 0.2 * file);
  EXPECT_EQ(weft({"bench", "-m", tiny_model(), "--device", "cpu", "--stages"}).status, 2);
}

TEST_F(GpuCommands, ProfileWritesATrace) {
  const std::string path = temp_path("trace.json");
  const Ran ran =
      on_gpu({"generate", "-m", tiny_model(), "--device", "webgpu", "-p", "a", "-n", "4", "--profile", path});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.err.find("us/call"), std::string::npos) << ran.err;
  auto trace = parse_ordered_json(read_text(path), path);
  ASSERT_OK(trace);
  int kernels = 0;
  for (const auto& event : (*trace)["traceEvents"]) {
    if (event["ph"] != "X") continue;
    ++kernels;
    EXPECT_TRUE(event["ts"].is_number() && event["dur"].is_number() && event["name"].is_string());
  }
  EXPECT_GT(kernels, 20);
  expect_one_line_error(on_gpu({"bench", "-m", tiny_model(), "--device", "webgpu", "--caps", "minimum", "--profile",
                                temp_path("none.json")}),
                        1, "[unsupported]");
  EXPECT_FALSE(fs::exists(temp_path("none.json")));
  expect_one_line_error(weft({"bench", "-m", tiny_model(), "--device", "cpu", "--profile", temp_path("none.json")}), 1,
                        "--profile");
}

TEST_F(GpuCommands, TuningIsKeptUsedAndIgnoredWhenDamaged) {
  const std::vector<std::string> say = {"generate", "-m", tiny_model(), "--device",  "webgpu", "-p",
                                        "a",        "-n", "4",          "--no-echo", "-v"};
  const auto with = [&](const char* option) {
    auto words = say;
    words.push_back(option);
    return words;
  };
  const std::string used = "tuned for this GPU";
  EXPECT_EQ(on_gpu(say).err.find(used), std::string::npos);

  const Ran ran = on_gpu({"tune", "-m", tiny_model(), "--seconds", "4", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson json = parse_output(ran);
  EXPECT_EQ(json["path"], cached("tuning"));
  ASSERT_EQ(json["plans"].size(), 2u);
  int measured = 0;
  for (const auto& call : json["calls"]) {
    for (const auto& tried : call["tried"]) measured += tried["us"].get<double>() > 0;
    EXPECT_LT(call["best"].get<size_t>(), call["tried"].size());
  }
  EXPECT_GT(measured, 4);

  const Ran tuned = on_gpu(say);
  EXPECT_EQ(tuned.status, 0) << tuned.err;
  EXPECT_NE(tuned.err.find(used), std::string::npos) << tuned.err;
  EXPECT_EQ(on_gpu(with("--no-tuning")).err.find(used), std::string::npos);

  const std::string path = cached("tuning"), good = read_text(path);
  for (const std::string& bad :
       {std::string(), std::string("{\"version\": 2}"), std::string("{\"version\": 1, \"choices\": [1]}"),
        std::string("{\"version\": 1, \"choices\": {\"a\": {\"kernel\": 3, \"variant\": 0}}}"),
        std::string("{\"version\": 1, \"choices\": {\"a\": {\"kernel\": \"b\", \"variant\": -1}}}"),
        good.substr(0, good.size() / 2)}) {
    write_text(path, bad);
    const Ran without = on_gpu(say);
    EXPECT_EQ(without.status, 0) << without.err;
    EXPECT_NE(without.err.find("ignored"), std::string::npos) << bad << ": " << without.err;
    EXPECT_EQ(without.err.find(used), std::string::npos) << bad;
  }
  auto others = parse_ordered_json(good, path);
  ASSERT_OK(others);
  (*others)["kernels"] = "0123456789abcdef";
  write_text(path, dump_json(*others));
  const Ran updated = on_gpu(say);
  EXPECT_EQ(updated.status, 0) << updated.err;
  EXPECT_NE(updated.err.find("of other kernels"), std::string::npos) << updated.err;
  EXPECT_EQ(updated.err.find(used), std::string::npos);
  // Kernels that are gone and variants that there are no longer fall back to what runs without tuning.
  auto stale = parse_ordered_json(good, path);
  ASSERT_OK(stale);
  bool other = false;
  for (auto& [key, choice] : (*stale)["choices"].items()) {
    if (other) choice["kernel"] = "no.such.kernel";
    choice["variant"] = 900;
    other = !other;
  }
  write_text(path, dump_json(*stale));
  const Ran old = on_gpu(say);
  EXPECT_EQ(old.status, 0) << old.err;
  EXPECT_NE(old.err.find(used), std::string::npos) << old.err;
  EXPECT_EQ(old.out, on_gpu(with("--no-tuning")).out);
  fs::remove(path);
}

TEST_F(GpuCommands, VerifyHoldsDecodeStepsToTheCpu) {
  const Ran ran = on_gpu({"verify", "-m", tiny_model(), "--device", "webgpu", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const OrderedJson json = parse_output(ran);
  EXPECT_EQ(json["rows"], 9);
  EXPECT_EQ(json["missed"], 0);
  EXPECT_GT(json["checked"].get<int64_t>(), 9 * 100);
  EXPECT_GE(json["same_tokens"].get<int>(), 7);
  EXPECT_GT(json["deviation"].get<double>(), 100 * json["rms"].get<double>()) << "differences as large as the logits";
  const Ran strict = on_gpu({"verify", "-m", tiny_model(), "--device", "webgpu", "--atol", "0", "--rtol", "0"});
  EXPECT_EQ(strict.status, 1);
  EXPECT_NE(strict.err.find("[mismatch]"), std::string::npos) << strict.err;
  EXPECT_EQ(on_gpu({"verify", "-m", tiny_model(), "--device", "cpu"}).status, 2);
}

}  // namespace
}  // namespace weft::test
