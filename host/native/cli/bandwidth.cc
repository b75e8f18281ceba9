#include "bandwidth.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "parallel.h"
#include "terminal.h"

namespace weft::cli {
namespace {

constexpr int64_t kPiece = int64_t{1} << 20;
constexpr int64_t kMostBytes = int64_t{1} << 30;
constexpr int kPasses = 5;
constexpr int kStreams = 8, kLine = 64, kAhead = 512;

// Eight streams with their lines asked for ahead: one stream keeps too few lines in flight (7.4 GB/s on one thread of a
// server processor where this reads 20).
uint64_t read_all(const std::byte* data, int64_t bytes) {
  uint64_t sums[kStreams] = {};
  const int64_t stream = bytes / kStreams;
  for (int64_t at = 0; at < stream; at += kLine) {
    for (int s = 0; s < kStreams; ++s) {
      const std::byte* line = data + s * stream + at;
      __builtin_prefetch(line + kAhead);
      uint64_t words[kLine / 8];
      std::memcpy(words, line, kLine);
      for (const uint64_t word : words) sums[s] += word;
    }
  }
  uint64_t sum = 0;
  for (const uint64_t part : sums) sum += part;
  return sum;
}

}  // namespace

double measure_read_bandwidth(Host& host, int threads, int64_t bytes) {
  const int64_t pieces = std::clamp(bytes, kPiece, kMostBytes) / kPiece;
  bytes = pieces * kPiece;
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
