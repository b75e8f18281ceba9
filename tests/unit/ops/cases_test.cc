// Every kernel, at every instruction set of this machine, against the reference of its op over the op's case table;
// and that a row's bits do not depend on the rows beside it or on how the work is cut.
#include <cmath>

#include "case_runner.h"
#include "ops/cpu_level.h"
#include "support/support.h"

namespace weft::test {
namespace {

class Cases : public testing::TestWithParam<int> {
 protected:
  Op op() const { return static_cast<Op>(GetParam()); }
};

// Some fused ops are a GPU's alone; tests/unit/gpu/cases runs their cases.
bool on_cpu(Op op) {
  for (const Kernel* kernel : kernels(op)) {
    if (kernel->device == Caps::Kind::cpu) return true;
  }
  return kernels(op).empty();
}

template <class F>
void for_each_kernel(const CaseRun& run, const F& f) {
  std::vector<ValueType> in, out;
  int found = 0;
  for (WeightLayout layout : {WeightLayout::row_major, WeightLayout::rows16}) {
    if (layout == WeightLayout::rows16) {
      const bool matrix = run.test.in.size() > 1 && run.test.in[1].role == CaseTensor::Role::weight;
      if (!matrix || layout_for(run.test.in[1].dtype, run.test.in[1].shape, {}) != layout) continue;
    }
    const OpCall call = run.call(in, out, layout);
    for (const Kernel* kernel : kernels(run.test.op)) {
      if (kernel->device != Caps::Kind::cpu || !kernel->supports(call, {})) continue;
      ++found;
      for (CpuLevel level : available_cpu_levels()) f(*kernel, level, layout);
    }
  }
  EXPECT_GT(found, 0) << "no kernel computes " << run.test.name;
}

void compare(const std::vector<float>& got, const std::vector<float>& want, const Case& c, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    const float bound = c.atol + c.rtol * std::fabs(want[i]);
    // Negated so that a NaN fails.
    ASSERT_TRUE(std::fabs(got[i] - want[i]) <= bound)
        << what << " element " << i << ": " << got[i] << ", reference " << want[i] << ", bound " << bound;
  }
}

TEST_P(Cases, MatchTheReference) {
  for (const Case& c : op_cases(op())) {
    if (!on_cpu(op())) break;
    const CaseRun run(c);
    const std::vector<HostTensor> want = run.reference();
    for_each_kernel(run, [&](const Kernel& kernel, CpuLevel level, WeightLayout layout) {
      const std::string what = c.name + " by " + std::string(kernel.name) + " on " + std::string(cpu_level_name(level));
      std::string damage;
      const auto got = run.run(kernel, level, layout, 1, damage);
      EXPECT_EQ(damage, "") << what;
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size(); ++i) compare(got[i], want[i].f32, c, what);
    });
    if (HasFatalFailure()) return;
  }
}

TEST_P(Cases, GiveTheSameBitsHoweverTheWorkIsCut) {
  for (const Case& c : op_cases(op())) {
    if (!on_cpu(op())) break;
    const CaseRun run(c);
    for_each_kernel(run, [&](const Kernel& kernel, CpuLevel level, WeightLayout layout) {
      std::string damage;
      const auto whole = run.run(kernel, level, layout, 1, damage);
      for (int pieces : {2, 5}) {
        EXPECT_EQ(run.run(kernel, level, layout, pieces, damage), whole)
            << c.name << " by " << kernel.name << " in " << pieces << " pieces";
      }
    });
    if (HasFailure()) return;
  }
}

// Decode gives the bits of prefill: row t of a call of T rows is the result of a call of that row alone.
TEST_P(Cases, GiveTheSameBitsForARowAlone) {
  for (const Case& c : op_cases(op())) {
    if (!on_cpu(op())) break;
    const CaseRun run(c);
    const int64_t rows = run.rows();
    if (rows < 2 || c.in[0].role == CaseTensor::Role::state) continue;  // states: a row sees those before it
    std::vector<int64_t> some{0, 1, rows / 2, rows - 1};
    for_each_kernel(run, [&](const Kernel& kernel, CpuLevel level, WeightLayout layout) {
      std::string damage;
      const auto whole = run.run(kernel, level, layout, 1, damage);
      for (int64_t t : some) {
        const auto alone = run.row(t).run(kernel, level, layout, 1, damage);
        for (size_t i = 0; i < alone.size(); ++i) {
          const auto begin = whole[i].begin() + t * static_cast<int64_t>(alone[i].size());
          const std::vector<float> part(begin, begin + static_cast<int64_t>(alone[i].size()));
          ASSERT_EQ(part, alone[i]) << c.name << " by " << kernel.name << " on " << cpu_level_name(level) << " row "
                                    << t;
        }
      }
    });
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Cases, testing::Range(0, kOpCount),
                         [](const auto& info) { return std::string(op_name(static_cast<Op>(info.param))); });

TEST(Kernels, EveryOpButViewHasOne) {
  for (int i = 0; i < kOpCount; ++i) {
    if (static_cast<Op>(i) != Op::view)
      EXPECT_FALSE(kernels(static_cast<Op>(i)).empty()) << op_name(static_cast<Op>(i));
  }
}

TEST(Kernels, PackedRowsUnpackToTheFormatsValues) {
  for (DType dtype : {DType::q8_0, DType::q4_0}) {
    const Case c{.name = "pack", .op = Op::linear, .in = {weight_of(dtype, {48, 96})}};
    HostTensor data = case_data(c, 0);
    const auto bytes = encode(dtype, data);
    const auto want = decode(dtype, bytes.data(), 48 * 96, 96);
    const std::vector<int64_t> shape{48, 96};
    std::vector<std::byte> packed(static_cast<size_t>(layout_bytes(dtype, shape, WeightLayout::rows16)));
    const size_t row = bytes.size() / 48;
    pack_rows(dtype, shape, WeightLayout::rows16, 16, 32, bytes.data() + 16 * row, packed.data());
    pack_rows(dtype, shape, WeightLayout::rows16, 0, 16, bytes.data(), packed.data());
    std::vector<float> got(96);
    for (int64_t r = 0; r < 48; ++r) {
      unpack_row(dtype, shape, WeightLayout::rows16, packed.data(), r, got.data());
      EXPECT_EQ(got, std::vector<float>(want.begin() + r * 96, want.begin() + (r + 1) * 96)) << name(dtype) << " " << r;
    }
  }
}

}  // namespace
}  // namespace weft::test
