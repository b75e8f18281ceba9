#include "cpu/pool.h"

#include <numeric>
#include <thread>

#include "support/support.h"

namespace weft::test {
namespace {

class NoThreads : public TestHost {
 public:
  std::unique_ptr<Workers> start_workers(int, std::function<void(int)>) override { return nullptr; }
};

TEST(Pool, DoesEveryItemOnceForAnyCount) {
  TestHost host;
  for (int threads : {1, 2, 3, 7}) {
    Pool pool(host, threads);
    ASSERT_EQ(pool.threads(), threads);
    for (int64_t items : {0, 1, 2, 3, 15, 16, 17, 100, 1001}) {
      std::vector<std::atomic<int>> done(static_cast<size_t>(items));
      pool.run(items, [&](int64_t begin, int64_t end, int worker) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, threads);
        for (int64_t i = begin; i < end; ++i) ++done[static_cast<size_t>(i)];
      });
      for (auto& count : done) ASSERT_EQ(count.load(), 1) << threads << " threads, " << items << " items";
    }
  }
}

TEST(Pool, OneItemStaysOnTheCallingThread) {
  TestHost host;
  Pool pool(host, 4);
  for (int i = 0; i < 100; ++i) {
    pool.run(1, [caller = std::this_thread::get_id()](int64_t, int64_t, int worker) {
      EXPECT_EQ(worker, 0);
      EXPECT_EQ(std::this_thread::get_id(), caller);
    });
  }
}

// Jobs in quick succession and jobs after pauses in which the workers fall asleep; every job reads what the one before
// wrote, so a chunk run late or twice, or with another job's function, shows in the sums.
TEST(Pool, ManyJobsAfterOneAnother) {
  TestHost host;
  Pool pool(host, 3);
  std::vector<int64_t> values(97, 0);
  for (int job = 1; job <= 3000; ++job) {
    if (job % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    const int64_t items = job % 7 == 0 ? 97 : 2 + job % 96;
    auto body = [&, job](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += job;
    };
    std::vector<int64_t> want = values;
    for (int64_t i = 0; i < items; ++i) want[static_cast<size_t>(i)] += job;
    pool.run(items, body);
    ASSERT_EQ(values, want) << "job " << job;
  }
}

TEST(Pool, StopsHandingOutWhenAskedAndGoesOnFromThere) {
  TestHost host;
  for (int threads : {1, 2, 3}) {
    Pool pool(host, threads);
    std::vector<std::atomic<int>> done(1000);
    int64_t at = 0;
    int rounds = 0;
    while (at < 1000) {
      const int64_t from = at;
      auto body = [&, from](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) ++done[static_cast<size_t>(from + i)];
      };
      auto stop = [] { return true; };
      const int64_t n = pool.run_until(1000 - at, body, stop);
      ASSERT_GT(n, 0);
      for (int64_t i = 0; i < n; ++i) ASSERT_EQ(done[static_cast<size_t>(at + i)].load(), 1);
      at += n;
      ++rounds;
    }
    EXPECT_EQ(at, 1000);
    if (threads == 1) EXPECT_GT(rounds, 3);
    for (auto& count : done) ASSERT_EQ(count.load(), 1);
  }
}

TEST(Pool, WorksWhereThereAreNoThreads) {
  NoThreads host;
  Pool pool(host, 8);
  EXPECT_EQ(pool.threads(), 1);
  int64_t sum = 0;
  pool.run(100, [&](int64_t begin, int64_t end, int) { sum += end - begin; });
  EXPECT_EQ(sum, 100);
}

TEST(Pool, EndsWhileItsWorkersSleep) {
  TestHost host;
  for (int i = 0; i < 20; ++i) {
    Pool pool(host, 3);
    if (i % 2) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace
}  // namespace weft::test
