// Every case of every op by every kernel row and every variant that computes it on this GPU, planned and run as a model
// is, against the op's reference; nothing but the results may be written, and a row's bits do not depend on T or on the
// other rows. Natively every specialised kernel is left in WEFT_WGSL_VARIANTS/<driver> for tint.
//
// WEFT_TEST_EVERY=n: every n-th case, and those that reach a kernel first. For browsers, whose drivers these are
// natively. WEFT_TEST_LARGE=all, or a part of their names: also the large cases, with shapes of real models. For real
// GPUs.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "case_gpu.h"
#include "gpu_case.h"
#include "large_case.h"
#include "support/support.h"

#ifdef WEFT_WGSL_VARIANTS
#include <filesystem>
#endif

namespace weft::test {
namespace {

constexpr size_t kChunk = 96;  // cases whose kernels are compiled side by side

struct Session {
  TestHost host;
  SharedGpu shared;
  Caps caps;           // with what the device's own tests left of them
  std::string error;   // why there is no GPU
  std::string folder;  // for the kernels' texts
  int cases = 0, runs = 0;
};

Session& session() {
  static Session session;
  return session;
}

class Gpus : public testing::Environment {
 public:
  void SetUp() override {
    Session& s = session();
    // Not robust: a kernel must not rely on clamped accesses or on zeroed workgroup memory.
    auto made = test::run(open_gpu(s.host, {}));
    if (!made) {
      s.error = made.error().message();
      ASSERT_FALSE(std::getenv("WEFT_TEST_GPU")) << s.error;
      return;
    }
    s.shared.gpu = *std::move(made);
    ASSERT_OK_AND(const auto device, test::run(make_webgpu_device(s.host, std::make_unique<CaseGpu>(s.shared))));
    s.caps = device->caps();
    const GpuInfo& info = s.caps.gpu;
    std::printf("on %s, %s: f16 %d, subgroups %d (%u to %u), packed dot %d\n", info.name.c_str(), info.driver.c_str(),
                info.f16, info.subgroups, info.subgroup_min, info.subgroup_max, info.packed_dot);
#ifdef WEFT_WGSL_VARIANTS
    const char* driver = std::getenv("WEFT_TEST_GPU");
    s.folder = std::string(WEFT_WGSL_VARIANTS) + "/" + (driver ? driver : "gpu");
    std::error_code ignored;
    if (testing::GTEST_FLAG(filter) == "*") std::filesystem::remove_all(s.folder, ignored);
    std::filesystem::create_directories(s.folder, ignored);
#endif
  }
  void TearDown() override {
    Session& s = session();
    if (!s.shared.gpu) return;
    std::printf("%d cases, %d by kernel and variant, %zu kernels on %s\n", s.cases, s.runs, s.shared.pipelines.size(),
                s.shared.gpu->info().name.c_str());
    s.shared.gpu.reset();
  }
};

const testing::Environment* const kGpus = testing::AddGlobalTestEnvironment(new Gpus);

class GpuCases : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!session().shared.gpu) GTEST_SKIP() << "skipped: " << session().error;
  }
  Op op() const { return static_cast<Op>(GetParam()); }
  const size_t every_ = std::getenv("WEFT_TEST_EVERY") ? std::stoul(std::getenv("WEFT_TEST_EVERY")) : 1;
};

// A kernel that multiplies in f16 is held to less than the case asks for.
bool in_f16(const Kernel& kernel) { return kernel.name.find("f16") != std::string_view::npos; }

void compare(const std::vector<float>& got, const std::vector<float>& want, const GpuCase& c) {
  ASSERT_EQ(got.size(), want.size()) << c.what;
  // 0.1 for sums of up to 4096 products; the roundings of longer ones add up as a random walk.
  float half = 0.1f;
  for (const CaseTensor& in : c.run.test.in)
    if (in.role == CaseTensor::Role::weight && in.shape.size() == 2)
      half = std::max(half, 0.1f * std::sqrt(static_cast<float>(in.shape[1]) / 4096));
  const float atol = in_f16(*c.choice.kernel) ? std::max(half, c.run.test.atol) : c.run.test.atol;
  const float rtol = in_f16(*c.choice.kernel) ? std::max(0.05f, c.run.test.rtol) : c.run.test.rtol;
  float worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const float excess = std::fabs(got[i] - want[i]) / (atol + rtol * std::fabs(want[i]));
    if (excess <= worst) continue;  // so that a NaN is the worst
    worst = excess;
    at = i;
    if (!(excess >= 0)) break;
  }
  if (atol == 0 && rtol == 0) {
    EXPECT_EQ(got, want) << c.what;
    return;
  }
  EXPECT_TRUE(worst <= 1) << c.what << " element " << at << ": " << got[at] << ", reference " << want[at] << ", "
                          << worst << " of the tolerance";
}

// Row t of a step is what the same plan gives for that row alone. States: a row sees those before it.
void check_rows_alone(GpuCase& c, Device& device, const std::vector<std::vector<float>>& whole) {
  const int64_t rows = c.run.rows();
  if (rows < 2 || c.run.test.in[0].role == CaseTensor::Role::state) return;
  for (int64_t t : {int64_t{0}, rows / 2, rows - 1}) {
    ASSERT_OK_AND(const auto alone, test::run(c.compute(device, c.run.row(t))));
    for (size_t i = 0; i < alone.size(); ++i) {
      const auto begin = whole[i].begin() + t * static_cast<int64_t>(alone[i].size());
      EXPECT_TRUE(std::equal(alone[i].begin(), alone[i].end(), begin)) << c.what << " row " << t << " differs alone";
    }
  }
}

void check(GpuCase& c, const std::vector<HostTensor>& want) {
  Session& s = session();
  auto owned = std::make_unique<CaseGpu>(s.shared);
  CaseGpu& gpu = *owned;
  const auto device = make_webgpu_device(s.host, std::move(owned), s.caps);
  ASSERT_OK(test::run(c.load(*device)));
  ASSERT_OK(test::run(c.prepare(*device)));
  ASSERT_OK_AND(const auto whole, test::run(c.compute(*device, c.run)));
  ++s.runs;
  ASSERT_EQ(whole.size(), want.size()) << c.what;
  for (size_t i = 0; i < whole.size(); ++i) compare(whole[i], want[i].f32, c);
  ASSERT_OK_AND(const std::string damage, test::run(gpu.damage()));
  EXPECT_EQ(damage, "") << c.what << " wrote behind these buffers";
  check_rows_alone(c, *device, whole);
}

// Every choice for a large case; its weight is loaded once.
void check_large(const Case& test) {
  Session& s = session();
  const LargeCase large(test);
  std::vector<std::unique_ptr<GpuCase>> all;
  std::vector<GpuShader> shaders;
  for (const Choice& choice : choices(large.run(), s.caps)) {
    all.push_back(std::make_unique<GpuCase>(large.run(), s.caps, choice));
    ASSERT_OK(all.back()->plan);
    for (GpuShader& shader : all.back()->shaders()) shaders.push_back(std::move(shader));
  }
  ASSERT_FALSE(all.empty()) << "no kernel computes " << test.name;
  ++s.cases;
  ASSERT_OK(test::run(s.shared.compile(shaders, s.folder)));
  auto owned = std::make_unique<CaseGpu>(s.shared);
  CaseGpu& gpu = *owned;
  const auto device = make_webgpu_device(s.host, std::move(owned), s.caps);
  ASSERT_OK(test::run(all[0]->load(*device)));
  for (const auto& c : all) {
    ASSERT_OK(test::run(c->prepare(*device)));
    ASSERT_OK_AND(const auto whole, test::run(c->compute(*device, c->run)));
    ++s.runs;
    EXPECT_TRUE(std::ranges::all_of(whole[0], [](float v) { return std::isfinite(v); })) << c->what;
    compare(large.pick(whole[0]), large.reference().f32, *c);
    ASSERT_OK_AND(const std::string damage, test::run(gpu.damage()));
    EXPECT_EQ(damage, "") << c->what << " wrote behind these buffers";
    check_rows_alone(*c, *device, whole);
    test::run(device->forget(*c->plan));
  }
}

// A device that grants everything, and has the kernels for software GPUs: says which kernels any GPU could run.
Caps best_caps(Caps caps) {
  caps.gpu.f16 = caps.gpu.subgroups = caps.gpu.subgroup_matrix = caps.gpu.packed_dot = caps.gpu.immediates = true;
  caps.gpu.software = true;
  caps.gpu.subgroup_min = caps.gpu.subgroup_max = 32;
  for (bool f32_sum : {false, true}) caps.gpu.matrices.push_back({16, 16, 16, f32_sum});
  caps.gpu.max_workgroup_bytes = 65536;
  caps.gpu.max_workgroup_invocations = 1024;
  caps.gpu.max_storage_buffers = 16;
  return caps;
}

TEST_P(GpuCases, MatchTheReference) {
  Session& s = session();
  const Caps caps = s.caps, best = best_caps(caps);
  std::map<const Kernel*, int> seen, possible;
  int left_out = 0, cases_left_out = 0;
  const std::vector<Case> cases = op_cases(op());
  for (size_t first = 0; first < cases.size();) {
    std::vector<std::unique_ptr<CaseRun>> runs;
    std::vector<std::unique_ptr<GpuCase>> chunk;
    std::vector<GpuShader> shaders;
    for (; first < cases.size() && chunk.size() < kChunk; ++first) {
      runs.push_back(std::make_unique<CaseRun>(cases[first]));
      const CaseRun& run = *runs.back();
      const std::vector<Choice> list = choices(run, caps);
      EXPECT_FALSE(list.empty()) << "no kernel computes " << run.test.name;
      const auto known = [&](const Choice& choice) { return seen.contains(choice.kernel); };
      for (const Choice& choice : choices(run, best)) ++possible[choice.kernel];
      if (first % every_ != 0 && std::ranges::all_of(list, known)) {
        ++cases_left_out;
        runs.pop_back();
        continue;
      }
      ++s.cases;
      for (const Choice& choice : list) {
        ++seen[choice.kernel];
        // Software GPUs take a second to compile a kernel: each variant but the first on every 12th case only.
        const bool some = every_ == 1 && (static_cast<int>(first) + choice.variant) % 12 == 0;
        if (caps.gpu.software && choice.variant > 0 && !some) {
          ++left_out;
          continue;
        }
        auto made = std::make_unique<GpuCase>(run, caps, choice);
        ASSERT_OK(made->plan);
        ASSERT_EQ(made->plan->steps.size(), 1u) << made->what;
        ASSERT_EQ(made->plan->steps[0].kernel, choice.kernel) << made->what;
        ASSERT_EQ(made->plan->steps[0].variant, choice.variant) << made->what;
        for (GpuShader& shader : made->shaders()) shaders.push_back(std::move(shader));
        chunk.push_back(std::move(made));
      }
    }
    ASSERT_OK(test::run(s.shared.compile(shaders, s.folder)));
    int failed = 0;
    const CaseRun* of = nullptr;  // the case of `references`: variants of one case follow each other
    std::vector<HostTensor> references;
    for (const auto& c : chunk) {
      if (references.empty() || of != &c->run) references = c->run.reference();
      of = &c->run;
      check(*c, references);
      if (HasFailure() && ++failed >= 20) return;
    }
  }
  if (cases_left_out > 0) std::printf("left out: %d of %zu cases\n", cases_left_out, cases.size());
  if (left_out > 0) std::printf("on a software GPU left out: %d variants of cases\n", left_out);
  for (const Kernel* kernel : kernels(op())) {
    if (kernel->device != Caps::Kind::webgpu || seen[kernel]) continue;
    EXPECT_GT(possible[kernel], 0) << "no case reaches " << kernel->name << " on any GPU";
    std::printf("not for this GPU: %s\n", std::string(kernel->name).c_str());
  }
}

class LargeGpuCases : public GpuCases {};

TEST_P(LargeGpuCases, MatchTheReference) {
  const char* wanted = std::getenv("WEFT_TEST_LARGE");
  if (!wanted) GTEST_SKIP() << "skipped: WEFT_TEST_LARGE=all, or a part of their names, is for real GPUs";
  for (const Case& c : large_cases(op())) {
    if (std::string_view(wanted) != "all" && c.name.find(wanted) == std::string::npos) continue;
    const double begin = session().host.now();
    const int runs = session().runs;
    check_large(c);
    std::printf("%-44s %3d ways, %5.1f s\n", c.name.c_str(), session().runs - runs, session().host.now() - begin);
    if (HasFailure()) return;
  }
}

TEST_P(GpuCases, OpHasAKernel) {
  const auto on_gpu = [](const Kernel* kernel) { return kernel->device == Caps::Kind::webgpu; };
  if (op() != Op::view) EXPECT_TRUE(std::ranges::any_of(kernels(op()), on_gpu));
}

std::string op_of(const testing::TestParamInfo<int>& info) { return std::string(op_name(static_cast<Op>(info.param))); }

INSTANTIATE_TEST_SUITE_P(Ops, LargeGpuCases,
                         testing::Values(static_cast<int>(Op::linear), static_cast<int>(Op::linear_add),
                                         static_cast<int>(Op::norm_linear)),
                         op_of);
INSTANTIATE_TEST_SUITE_P(Ops, GpuCases, testing::Range(0, kOpCount), op_of);

}  // namespace
}  // namespace weft::test
