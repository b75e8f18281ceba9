#include "bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "parallel.h"
#include "terminal.h"

namespace weft::cli {
namespace {

constexpr int64_t kPiece = int64_t{4} << 20;
constexpr int kPasses = 5;

// Twice the last cache, so that a pass finds little of the one before; virtual machines report absurd caches, hence
// the upper bound.
int64_t buffer_bytes() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::clamp<int64_t>(2 * static_cast<int64_t>(cache), int64_t{256} << 20, int64_t{1} << 30) / kPiece * kPiece;
}

// Four sums, so that the loop waits for memory and not for additions.
uint64_t read_all(const std::byte* data, int64_t bytes) {
  uint64_t sums[16] = {};
  for (int64_t at = 0; at + 128 <= bytes; at += 128) {
    uint64_t words[16];
    std::memcpy(words, data + at, 128);
    for (int i = 0; i < 16; ++i) sums[i] += words[i];
  }
  uint64_t sum = 0;
  for (const uint64_t part : sums) sum += part;
  return sum;
}

}  // namespace

double measure_read_bandwidth(Host& host, int threads) {
  const int64_t bytes = buffer_bytes(), pieces = bytes / kPiece;
  const std::unique_ptr<std::byte[]> buffer(new (std::nothrow) std::byte[static_cast<size_t>(bytes)]);
  if (!buffer) return 0;
  // Written by the threads that will read it: memory near each.
  parallel_for(host, threads, pieces,
               [&](int64_t i) { std::memset(buffer.get() + i * kPiece, static_cast<int>(i), kPiece); });
  std::atomic<uint64_t> kept{0};  // the sums must be used, or the loop goes away
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double started = seconds_now();
    parallel_for(host, threads, pieces, [&](int64_t i) { kept += read_all(buffer.get() + i * kPiece, kPiece); });
    best = std::max(best, static_cast<double>(bytes) / (seconds_now() - started));
  }
  return kept.load() == 1 ? 0 : best;
}

}  // namespace weft::cli
