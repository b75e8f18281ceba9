// After the first token the sampler allocates nothing: counted by replacing the global operator new of this program.
#include <random>

#include "sample/sampler.h"
#include "support/allocations.h"
#include "support/support.h"

namespace weft {
namespace {

TEST(Sampler, AllocatesNothingAfterTheFirstToken) {
  if (!test::kCountsAllocations) GTEST_SKIP() << "skipped: a sanitizer's allocator";
  std::mt19937 random(1);
  std::vector<float> logits(50000);
  for (float& x : logits) x = std::normal_distribution<float>(0, 2)(random);
  const std::vector<uint32_t> mask((logits.size() + 31) / 32, 0x7FFFFFFF);
  const std::vector<SamplingOptions> settings{
      {},
      {.temperature = 0, .repeat_penalty = 1.1f},
      {.top_k = 0, .top_p = 1, .min_p = 0},
      {.top_k = 0, .top_p = 0.9f, .min_p = 0, .frequency_penalty = 0.1f},
  };
  for (const auto& options : settings) {
    Sampler sampler(options);
    const std::vector<int32_t> prompt(100, 3);
    sampler.accept(prompt);
    std::vector<int32_t> id{49999};
    sampler.accept(id);
    ASSERT_TRUE(sampler.sample(logits, mask).has_value());
    const long before = test::allocations();
    int32_t sum = 0;
    for (int i = 0; i < 20; ++i) {
      id[0] = sampler.sample(logits, mask)->id;
      sum += id[0];
      sampler.accept(id);
    }
    EXPECT_EQ(test::allocations(), before) << sum;
  }
}

}  // namespace
}  // namespace weft
