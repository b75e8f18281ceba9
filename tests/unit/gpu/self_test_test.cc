// The self-test passes where features work and finds a GPU that lies.
#include "gpu/self_test.h"

#include <cstdlib>
#include <cstring>

#include "support/support.h"

namespace weft {
namespace {

GpuInfo all_features() {
  GpuInfo info;
  info.name = "liar";
  info.f16 = info.subgroups = info.subgroup_matrix = info.packed_dot = true;
  info.subgroup_min = info.subgroup_max = 32;
  info.matrices = {{16, 16, 16, true}, {16, 8, 16, false}, {16, 16, 4, true}};
  info.max_workgroup_invocations = 256;
  return info;
}

// Computes nothing: every buffer reads as `byte`. Kernels whose label is `refused` do not compile.
class Liar : public Gpu {
 public:
  explicit Liar(int byte, std::string refused = "") : byte_(byte), refused_(std::move(refused)) {}
  const GpuInfo& info() const override { return info_; }
  Task<Result<GpuBuffer>> create_buffer(int64_t, std::string) override { co_return GpuBuffer{++buffers_}; }
  void destroy(GpuBuffer) override { --buffers_; }
  void destroy(GpuBindGroup) override { --groups_; }
  Task<Result<std::vector<GpuPipeline>>> create_pipelines(std::span<const GpuShader> shaders) override {
    std::vector<GpuPipeline> made;
    for (const GpuShader& shader : shaders) {
      if (shader.label == refused_) co_return fail(Code::bad_shader, shader.label, "compiling");
      made.push_back(GpuPipeline{1});
    }
    co_return made;
  }
  Result<GpuBindGroup> create_bind_group(GpuPipeline, std::span<const GpuRange>) override {
    return GpuBindGroup{++groups_};
  }
  Status write(GpuBuffer, int64_t, std::span<const std::byte>) override { return lost(); }
  Status submit(const GpuCommands&) override { return lost(); }
  Result<GpuTicket> begin_read(GpuBuffer, int64_t, int64_t) override { return GpuTicket{1}; }
  Task<Status> end_read(GpuTicket, std::span<std::byte> out) override {
    std::memset(out.data(), byte_, out.size());
    co_return lost();
  }
  Task<Status> finish() override { co_return lost(); }
  Task<Result<std::vector<std::pair<uint64_t, uint64_t>>>> read_timestamps(uint32_t) override {
    co_return fail(Code::unsupported, "liar", "timestamps");
  }
  Status health() const override { return lost(); }
  int64_t bytes_in_use() const override { return 0; }
  void lose() override { lost_ = true; }
  bool clean() const { return buffers_ == 0 && groups_ == 0; }

 private:
  Status lost() const {
    if (!lost_) return {};
    return fail(Code::device_lost, "liar", "lost");
  }
  GpuInfo info_ = all_features();
  int byte_;
  std::string refused_;
  bool lost_ = false;
  uint32_t buffers_ = 0, groups_ = 0;
};

TEST(SelfTest, FindsADeviceThatComputesNothing) {
  for (int byte : {0, 0xff, 0x3c}) {
    Liar gpu(byte);
    ASSERT_OK_AND(const auto tests, test::run(test_features(gpu)));
    EXPECT_EQ(tests.size(), 6u);
    for (const FeatureTest& test : tests) {
      EXPECT_FALSE(test.passed) << test.feature;
      EXPECT_NE(test.found, "") << test.feature;
    }
    const GpuInfo left = without_failed(gpu.info(), tests);
    EXPECT_FALSE(left.f16 || left.packed_dot || left.subgroups || left.subgroup_matrix);
    EXPECT_TRUE(left.matrices.empty());
    EXPECT_EQ(left.subgroup_max, 0u);
    EXPECT_TRUE(gpu.clean());
  }
}

TEST(SelfTest, ARefusedKernelIsAFailedFeatureAndNamesTheReason) {
  Liar gpu(0, "self_test_subgroups");
  ASSERT_OK_AND(const auto tests, test::run(test_features(gpu)));
  for (const FeatureTest& test : tests) {
    if (test.feature != "subgroups") continue;
    EXPECT_FALSE(test.passed);
    EXPECT_NE(test.found.find("self_test_subgroups"), std::string::npos) << test.found;
  }
}

TEST(SelfTest, ALostDeviceIsAnError) {
  Liar gpu(0);
  gpu.lose();
  EXPECT_ERROR(Code::device_lost, test::run(test_features(gpu)));
  EXPECT_TRUE(gpu.clean());
}

TEST(SelfTest, OnlyWhatFailedIsSwitchedOff) {
  const std::vector<FeatureTest> tests = {{"f16", true, ""},
                                          {"packed-dot", false, "x"},
                                          {"subgroups", true, ""},
                                          {"subgroup-matrix 16x16x16 f32", true, ""},
                                          {"subgroup-matrix 16x8x16 f16", false, "x"},
                                          {"subgroup-matrix 16x16x4 f32", false, "x"}};
  const GpuInfo left = without_failed(all_features(), tests);
  EXPECT_TRUE(left.f16 && left.subgroups && left.subgroup_matrix);
  EXPECT_FALSE(left.packed_dot);
  ASSERT_EQ(left.matrices.size(), 1u);
  EXPECT_EQ(left.matrices[0].k, 16u);
}

TEST(SelfTest, SoftwareGpusPass) {
  test::TestHost host;
  for (bool robust : {false, true}) {
    auto gpu = test::run(open_gpu(host, {.robust = robust}));
    if (!gpu && !std::getenv("WEFT_TEST_GPU")) GTEST_SKIP() << "skipped: " << gpu.error().message();
    ASSERT_OK(gpu);
    const int64_t before = (*gpu)->bytes_in_use();
    ASSERT_OK_AND(const auto tests, test::run(test_features(**gpu)));
    EXPECT_FALSE(tests.empty());
    for (const FeatureTest& test : tests) EXPECT_TRUE(test.passed) << test.feature << ": " << test.found;
    EXPECT_LE((*gpu)->bytes_in_use() - before, 16384) << "staging alone stays";
  }
}

}  // namespace
}  // namespace weft
