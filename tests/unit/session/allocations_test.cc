// Decoding in bursts allocates nothing per token: every operator new of this program is counted.
#include <cstdlib>
#include <new>

#include "fake_loop.h"
#include "session_support.h"

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT_COUNTS_ALLOCATIONS 0  // sanitizers have allocators of their own
#else
#define WEFT_COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<long> allocations{0};
}

#if WEFT_COUNTS_ALLOCATIONS
void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes ? bytes : 1);
  if (!memory) std::abort();
  return memory;
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const size_t align = static_cast<size_t>(alignment);
  void* memory = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (!memory) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

namespace weft {
namespace {

using namespace weft::test;

TEST(Allocations, NonePerTokenWhileADeviceGenerates) {
  if (!WEFT_COUNTS_ALLOCATIONS) GTEST_SKIP() << "skipped: a sanitizer's allocator";
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
      if (events == 40) before = allocations;  // sizes of bursts and of held text have settled
      if (events == 449) after = allocations;
    });
    EXPECT_EQ(out.ids.size(), 450u);
    EXPECT_FALSE(out.text.empty());
    EXPECT_GT(before, 0);
    EXPECT_EQ(after - before, 0) << "burst " << burst;
  }
}

}  // namespace
}  // namespace weft
