#include "sample/softmax.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/support.h"

namespace weft {
namespace {

TEST(Softmax, ExpIsWithinTwoUlp) {
  for (float x = 0; x > -86.9f; x -= 0.00137f) {
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_LE(std::abs(exp_negative(x) - exact), exact * 2 * 0x1p-23) << x;
  }
  EXPECT_EQ(exp_negative(0), 1.0f);
  EXPECT_EQ(exp_negative(-1e30f), 0.0f);
  EXPECT_EQ(exp_negative(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_EQ(exp_negative(std::numeric_limits<float>::quiet_NaN()), 0.0f);
}

TEST(Softmax, SumsAndMaximaOfEveryLength) {
  std::mt19937 random(5);
  for (size_t size = 1; size < 200; ++size) {
    std::vector<float> x(size), e(size);
    for (float& v : x) v = std::normal_distribution<float>(0, 4)(random);
    float top = -std::numeric_limits<float>::infinity();
    for (float v : x) top = std::max(top, v);
    ASSERT_EQ(max_of(x), top);
    EXPECT_EQ(x[find_first(x, top)], top);
    EXPECT_EQ(find_first(x, 1e9f), size);
    double sum = 0;
    for (float v : x) sum += std::exp(static_cast<double>(v - top) / 0.5);
    EXPECT_NEAR(exp_into(x, top, 2, e), sum, 1e-5 * sum);
    EXPECT_NEAR(exp_into(x, top, 2, {}), sum, 1e-5 * sum);
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(e[i], exp_negative((x[i] - top) * 2));
  }
}

}  // namespace
}  // namespace weft
