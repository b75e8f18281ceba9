// A loop over independent items on several threads of the host; for work on whole files (synth, quantize), where
// starting threads costs nothing beside the work.
#pragma once

#include <atomic>
#include <functional>

#include "base/host.h"

namespace weft::cli {

int hardware_threads();  // that this process may use, at least 1

// Calls body(i) once for every i in [0, items), in any order, on `threads` threads (0: all), and returns when all ran.
inline void parallel_for(Host& host, int64_t threads, int64_t items, const std::function<void(int64_t)>& body) {
  const int64_t all = threads > 0 ? threads : hardware_threads();
  std::atomic<int64_t> next{0};
  const auto work = [&](int) {
    for (int64_t i; (i = next.fetch_add(1)) < items;) body(i);
  };
  const auto workers =
      all > 1 && items > 1 ? host.start_workers(static_cast<int>(std::min(all, items) - 1), work) : nullptr;
  work(0);  // without workers: everything here
}

}  // namespace weft::cli
