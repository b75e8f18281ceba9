#include "cpu/pool.h"

#include <algorithm>

namespace weft {
namespace {

// About 40 ns each on x86 (PAUSE), 30 in WebAssembly; a step's other part is rarely later than this many, a token's
// sampling may be.
constexpr int kSpins = 2500;
// Chunks a worker: enough that one disturbed by the rest of the machine loses little, few enough to stream.
constexpr int64_t kChunksPerWorker = 8;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#elif defined(__wasm__)
  // There is no such instruction: an empty loop of about 30 ns leaves the ticket's cache line to those who take chunks.
#pragma clang loop unroll(disable)
  for (int i = 0; i < 128; ++i) asm volatile("");
#endif
}

inline void sleep_while(std::atomic<uint32_t>& value, uint32_t expected) {
#if defined(__wasm_atomics__)
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&value), static_cast<int>(expected), -1);
#elif defined(__wasm__)
  (void)value, (void)expected;  // no threads in this build
#else
  value.wait(expected, std::memory_order_acquire);
#endif
}

inline void wake_all(std::atomic<uint32_t>& value) {
#if defined(__wasm_atomics__)
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&value), ~0u);
#elif defined(__wasm__)
  (void)value;
#else
  value.notify_all();
#endif
}

uint64_t epoch_of(uint64_t ticket) { return ticket >> 32; }

}  // namespace

Pool::Pool(Host& host, int threads) : threads_(std::max(1, threads)) {
  if (threads_ == 1) return;
  workers_ = host.start_workers(threads_ - 1, [this](int worker) { work(worker); });
  if (!workers_) threads_ = 1;  // no threads in this place
}

Pool::~Pool() {
  quit_.store(true);
  wake_.fetch_add(1);
  wake_all(wake_);
  workers_.reset();
}

bool Pool::claim(uint64_t epoch, int64_t& chunk) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  const uint32_t chunks = chunks_.load(std::memory_order_relaxed);
  while (epoch_of(ticket) == epoch && static_cast<uint32_t>(ticket) < chunks) {
    if (ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      chunk = static_cast<uint32_t>(ticket);
      return true;
    }
  }
  return false;
}

void Pool::work(int worker) {
  uint64_t seen = 0;
  int spins = 0;
  while (!quit_.load(std::memory_order_relaxed)) {
    const uint64_t epoch = epoch_of(ticket_.load(std::memory_order_acquire));
    if (epoch == seen) {
      if (++spins < kSpins) {
        pause();
        continue;
      }
      const uint32_t wake = wake_.load();
      sleepers_.fetch_add(1);
      // Again after the count: a job published before the caller could see this sleeper must not be slept through.
      if (epoch_of(ticket_.load()) == seen && !quit_.load()) sleep_while(wake_, wake);
      sleepers_.fetch_sub(1);
      spins = 0;
      continue;
    }
    seen = epoch;
    spins = 0;
    const Function function = function_.load(std::memory_order_relaxed);
    void* const context = context_.load(std::memory_order_relaxed);
    const int64_t items = items_.load(std::memory_order_relaxed), size = chunk_size_.load(std::memory_order_relaxed);
    int64_t chunk;
    while (claim(epoch, chunk)) {
      function(context, chunk * size, std::min(items, (chunk + 1) * size), worker);
      finished_.fetch_add(1, std::memory_order_release);
    }
  }
}

int64_t Pool::run_erased(int64_t items, Function function, void* context, bool (*stop)(void*), void* stop_context) {
  if (items <= 0) return 0;
  const int64_t size = std::max<int64_t>(1, items / (threads_ * kChunksPerWorker));
  const int64_t chunks = (items + size - 1) / size;
  if (threads_ == 1 || chunks == 1) {
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      function(context, chunk * size, std::min(items, (chunk + 1) * size), 0);
      if (stop(stop_context)) return std::min(items, (chunk + 1) * size);
    }
    return items;
  }
  // Closes the job before: whoever still looks at it finds no chunk, whatever it reads of the fields below.
  const uint64_t before = epoch_of(ticket_.load(std::memory_order_relaxed)), epoch = (before + 1) & 0xFFFFFFFF;
  ticket_.store(before << 32 | 0xFFFFFFFF);
  finished_.store(0, std::memory_order_relaxed);
  function_.store(function, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  items_.store(items, std::memory_order_relaxed);
  chunk_size_.store(size, std::memory_order_relaxed);
  chunks_.store(static_cast<uint32_t>(chunks), std::memory_order_relaxed);
  ticket_.store(epoch << 32);
  if (sleepers_.load() > 0) {
    wake_.fetch_add(1);
    wake_all(wake_);
  }
  int64_t chunk, taken = chunks;
  while (claim(epoch, chunk)) {
    function(context, chunk * size, std::min(items, (chunk + 1) * size), 0);
    finished_.fetch_add(1, std::memory_order_release);
    if (stop(stop_context)) {
      // Closes the job: what the ticket had reached is what will be done.
      const uint64_t last = ticket_.exchange(epoch << 32 | 0xFFFFFFFF);
      taken = std::min<int64_t>(chunks, static_cast<uint32_t>(last));
      break;
    }
  }
  // At most one chunk a worker: not worth sleeping for.
  while (finished_.load(std::memory_order_acquire) != static_cast<uint32_t>(taken)) pause();
  return std::min(items, taken * size);
}

}  // namespace weft
