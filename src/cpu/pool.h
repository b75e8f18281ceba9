// A pool of threads for loops over independent items. The threads are the host's (Host::start_workers); the pool itself
// uses atomics only, so the same code runs natively and in WASM workers.
//
//   Pool pool(host, 2);
//   pool.run(1000, [&](int64_t begin, int64_t end, int worker) { … });   // worker: 0 (the caller) … threads() - 1
//
// Items are handed out in chunks of consecutive ones to whoever is free. A worker that is asleep or late is not waited
// for: the caller takes the chunks itself. Workers spin for about 100 us after their last chunk, then sleep.
#pragma once

#include <atomic>
#include <memory>

#include "base/host.h"

namespace weft {

class Pool {
 public:
  using Function = void (*)(void* context, int64_t begin, int64_t end, int worker);

  Pool(Host& host, int threads);
  ~Pool();
  Pool(const Pool&) = delete;

  int threads() const { return threads_; }

  // Runs all of [0, items). Called by one thread at a time; allocates nothing. With one item or one thread the calling
  // thread does it alone at no cost.
  template <class F>
  void run(int64_t items, F&& body) {
    auto never = [] { return false; };
    run_until(items, body, never);
  }
  // The same, but the caller asks `stop` between its chunks and, once true, hands out no more. Returns how many items
  // were done: [0, n).
  template <class F, class Stop>
  int64_t run_until(int64_t items, F& body, Stop& stop) {
    return run_erased(
        items, [](void* f, int64_t b, int64_t e, int w) { (*static_cast<F*>(f))(b, e, w); }, &body,
        [](void* s) -> bool { return (*static_cast<Stop*>(s))(); }, &stop);
  }

 private:
  int64_t run_erased(int64_t items, Function function, void* context, bool (*stop)(void*), void* stop_context);
  void work(int worker);
  // Takes the next chunk of job `epoch`; false when it has none left or is over.
  bool claim(uint64_t epoch, int64_t& chunk);

  int threads_;
  // High half: number of the job; low half: its next chunk. A chunk is taken by compare-and-swap of both, so that what
  // was read of the job before is known to belong to it.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> finished_{0};  // chunks done
  alignas(64) std::atomic<uint32_t> wake_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> quit_{false};
  // The job. Atomic because a late worker may read while the next one is written; it then fails to claim.
  alignas(64) std::atomic<Function> function_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<int64_t> items_{0}, chunk_size_{1};
  std::atomic<uint32_t> chunks_{0};
  std::unique_ptr<Workers> workers_;  // last: joined before the rest goes
};

}  // namespace weft
