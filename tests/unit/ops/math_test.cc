// Errors of the vector functions against the C library in double, on every instruction set of this machine.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "unit/ops/math_test.cc"
#include "ops/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

enum class Function { sigmoid, erfc, exp, tanh, sine, cosine };

// x: a multiple of 16 values.
void evaluate(Function function, const float* x, const float* frequency, float* y, int64_t n) {
  const F32 d;
  for (int64_t i = 0; i < n; i += kLanes) {
    const VF v = hn::LoadU(d, x + i);
    VF result = v, other = v;
    switch (function) {
      case Function::sigmoid:
        result = sigmoid(v);
        break;
      case Function::erfc:
        result = erfc_positive(v);
        break;
      case Function::exp:
        result = hn::Exp(d, v);
        break;
      case Function::tanh:
        result = hn::Tanh(d, v);
        break;
      case Function::sine:
        sin_cos(v, hn::LoadU(d, frequency + i), result, other);
        break;
      case Function::cosine:
        sin_cos(v, hn::LoadU(d, frequency + i), other, result);
        break;
    }
    hn::StoreU(result, d, y + i);
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ops/cpu_level.h"

namespace weft::test {
namespace {

using Function = HWY_NAMESPACE::Function;

std::vector<float> evaluate(CpuLevel level, int function, const std::vector<float>& x, const std::vector<float>& f) {
  std::vector<float> y(x.size());
  const int64_t n = static_cast<int64_t>(x.size());
#if HWY_ARCH_X86_64
  if (level == CpuLevel::avx512_vnni) {
    N_AVX3_DL::evaluate(static_cast<N_AVX3_DL::Function>(function), x.data(), f.data(), y.data(), n);
  } else if (level == CpuLevel::avx2) {
    N_AVX2::evaluate(static_cast<N_AVX2::Function>(function), x.data(), f.data(), y.data(), n);
  } else {
    HWY_NAMESPACE::evaluate(static_cast<Function>(function), x.data(), f.data(), y.data(), n);
  }
#else
  (void)level;
  HWY_NAMESPACE::evaluate(static_cast<Function>(function), x.data(), f.data(), y.data(), n);
#endif
  return y;
}

struct Range {
  Function function;
  double low, high;
  std::function<double(double)> exact;
  double relative, absolute;
};

TEST(Math, ErrorsAreBelowTheStatedBounds) {
  const Range ranges[] = {
      {Function::sigmoid, -80, 80, [](double x) { return 1 / (1 + std::exp(-x)); }, 4e-7, 0},
      {Function::erfc, 0, 1, [](double x) { return std::erfc(x); }, 4e-7, 0},
      // The rounding of z^2 shows from here on.
      {Function::erfc, 1, 5, [](double x) { return std::erfc(x); }, 3e-6, 0},
      {Function::erfc, 5, 30, [](double x) { return std::erfc(x); }, 0, 1e-12},
      {Function::exp, -80, 80, [](double x) { return std::exp(x); }, 2e-7, 0},
      {Function::tanh, -10, 10, [](double x) { return std::tanh(x); }, 4e-7, 0},
  };
  for (CpuLevel level : available_cpu_levels()) {
    for (const Range& range : ranges) {
      std::vector<float> x(1 << 16), none(x.size());
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(range.low +
                                  (range.high - range.low) * static_cast<double>(i) / static_cast<double>(x.size()));
      }
      const auto y = evaluate(level, static_cast<int>(range.function), x, none);
      for (size_t i = 0; i < x.size(); ++i) {
        const double want = range.exact(x[i]);
        ASSERT_TRUE(std::fabs(y[i] - want) <= range.absolute + range.relative * std::fabs(want))
            << "function " << static_cast<int>(range.function) << " at " << x[i] << ": " << y[i] << ", not " << want
            << " on " << cpu_level_name(level);
      }
    }
  }
}

TEST(Math, SineAndCosineHoldAtPositionsOfLongContexts) {
  std::vector<float> x(1 << 16), f(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i * 16);  // to 1,048,560
    f[i] = static_cast<float>(std::pow(10000.0, -static_cast<double>(i % 64) / 64));
  }
  for (CpuLevel level : available_cpu_levels()) {
    const auto s = evaluate(level, static_cast<int>(Function::sine), x, f);
    const auto c = evaluate(level, static_cast<int>(Function::cosine), x, f);
    for (size_t i = 0; i < x.size(); ++i) {
      const double angle = static_cast<double>(x[i]) * f[i];
      ASSERT_NEAR(s[i], std::sin(angle), 1.5e-7) << angle;
      ASSERT_NEAR(c[i], std::cos(angle), 1.5e-7) << angle;
    }
  }
}

TEST(Math, ExtremesGiveNoNaN) {
  const std::vector<float> x{-1e30f, -3e38f, -200, -100, -88, -87.5f, 0, 1e-30f, 88, 100, 1e30f, 3e38f, 1, 2, 3, 4};
  const std::vector<float> none(x.size());
  for (CpuLevel level : available_cpu_levels()) {
    const auto s = evaluate(level, static_cast<int>(Function::sigmoid), x, none);
    for (float v : s) EXPECT_TRUE(v >= 0 && v <= 1) << v;
    const auto e = evaluate(level, static_cast<int>(Function::exp), x, none);
    for (size_t i = 0; i < 4; ++i) EXPECT_LT(e[i], 1e-37f) << x[i];
    EXPECT_EQ(e[0], 0.0f);
    EXPECT_EQ(e[6], 1.0f);
  }
}

}  // namespace
}  // namespace weft::test
#endif
