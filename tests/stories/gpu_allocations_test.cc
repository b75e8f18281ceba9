// Decoding on a GPU allocates nothing of ours per token: every operator new of this program is counted, from the
// session down to the calls into Dawn, which has its own.
#include <cstdlib>

#include "story_support.h"
#include "support/allocations.h"

namespace weft {
namespace {

using namespace weft::test;

TEST(GpuAllocations, NonePerToken) {
  if (!kCountsAllocations) GTEST_SKIP() << "skipped: a sanitizer's allocator";
  TestHost host;
  for (int64_t burst : {1, 8}) {
    auto loaded =
        run(LanguageModel::load(host, *default_model(), {.device = "webgpu", .context = 256, .burst = burst}));
    if (!loaded && loaded.error().code == Code::no_device && !std::getenv("WEFT_TEST_GPU"))
      GTEST_SKIP() << "skipped: " << loaded.error().message();
    ASSERT_OK(loaded);
    for (bool sampled : {false, true}) {
      const auto session = new_session(**loaded);
      GenerateRequest request = greedy({1, 5, 9}, 160);
      if (sampled)
        request.sampling = {.temperature = 0.8f, .top_k = 40, .top_p = 0.9f, .repeat_penalty = 1.1f, .seed = 3};
      request.stop = {"never to be seen"};
      request.ignore_end = true;
      long before = 0, after = 0;
      int events = 0;
      const Generated out = generate(*session, request, [&](const TokenEvent&) {
        ++events;
        if (events == 80) before = allocations();  // sizes of bursts, read-backs and held text have settled
        if (events == 150) after = allocations();
      });
      EXPECT_EQ(out.ids.size(), 160u);
      EXPECT_EQ(out.stats.device.substr(0, 6), "webgpu");
      EXPECT_GT(before, 0);
      EXPECT_EQ(after - before, 0) << "in 70 tokens, burst " << burst << (sampled ? ", sampled" : ", greedy");
    }
  }
}

}  // namespace
}  // namespace weft
