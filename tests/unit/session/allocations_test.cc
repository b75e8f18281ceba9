// Decoding in bursts allocates nothing per token: every operator new of this program is counted.
#include "support/allocations.h"

#include "fake_loop.h"
#include "session_support.h"

namespace weft {
namespace {

using namespace weft::test;

TEST(Allocations, NonePerTokenWhileADeviceGenerates) {
  if (!kCountsAllocations) GTEST_SKIP() << "skipped: a sanitizer's allocator";
  TestHost host;
  for (int64_t burst : {1, 8, 0}) {
    LoopProbe probe{.scripted = true};
    LoadOptions options{.threads = 1, .context = 512, .burst = burst, .make_device = [&](Host& h) {
                          return make_fake_loop_device(h, probe);
                        }};
    const std::string path = source_dir() + "/models/weft-stories-7m-q8_0.gguf";
    ASSERT_OK_AND(auto model, run(LanguageModel::load(host, path, std::move(options))));
    auto session = new_session(*model);
    GenerateRequest request = greedy_request({1, 5, 9}, 450);
    request.stop = {"never to be seen"};
    long before = 0, after = 0;
    int events = 0;
    const Generated out = generate(*session, request, [&](const TokenEvent&) {
      ++events;
      if (events == 40) before = allocations();  // sizes of bursts and of held text have settled
      if (events == 449) after = allocations();
    });
    EXPECT_EQ(out.ids.size(), 450u);
    EXPECT_FALSE(out.text.empty());
    EXPECT_GT(before, 0);
    EXPECT_EQ(after - before, 0) << "burst " << burst;
  }
}

}  // namespace
}  // namespace weft
