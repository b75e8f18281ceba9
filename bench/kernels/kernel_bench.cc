// Speed of the matrix kernels at SmolLM2-135M's shapes, beside the memory bandwidth of this machine.
//
//   kernel_bench [threads] [q8_0|q4_0|…] [seconds a figure] [level] [megabytes of weights: 160, at least 32]
//
// In WebAssembly (preset wasm): node bench/kernels/run.mjs build/wasm/bench/kernels/kernel_bench.wasm 1 q8_0
//
// A line a shape: T = 1 in GB/s of weights (30 copies one after the other, as the layers of a model are read), T = 128
// in billion multiply-adds a second; then the sum over the model as tokens/s without attention.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#ifndef __wasi__
#include <thread>
#endif

#include "base/half.h"
#include "cpu/memory.h"
#include "cpu/pool.h"
#include "ops/cpu_level.h"

namespace weft {
namespace {

class ThreadHost : public Host {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override { return fail(Code::io, path, "open"); }
  void log(LogLevel, std::string_view) override {}
  double now() override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  Task<void> yield() override { co_return; }
#ifdef __wasi__
  std::unique_ptr<Workers> start_workers(int, std::function<void(int)>) override { return nullptr; }
#else
  std::unique_ptr<Workers> start_workers(int count, std::function<void(int)> body) override {
    struct Threads : Workers {
      std::vector<std::thread> threads;
      ~Threads() override {
        for (auto& thread : threads) thread.join();
      }
    };
    auto made = std::make_unique<Threads>();
    for (int i = 1; i <= count; ++i) made->threads.emplace_back(body, i);
    return made;
  }
#endif
};

struct Bench {
  ThreadHost host;
  Pool pool;
  DType dtype;
  CpuLevel level;
  double seconds;
  Memory weights, x, quantized, y, scratch;

  Bench(int threads, DType d, CpuLevel l, double s, int64_t megabytes)
      : pool(host, threads), dtype(d), level(l), seconds(s) {
    weights = *Memory::zeroed(megabytes << 20, true, "weights");
    x = *Memory::zeroed(128 * 1536 * 4, true, "x");
    quantized = *Memory::zeroed(128 * 1536 * 2, true, "x");
    y = *Memory::zeroed(int64_t{128} * 49152 * 4, true, "y");
    scratch = *Memory::zeroed(64 << 20, true, "scratch");
    uint32_t random = 1;
    for (int64_t i = 0; i < weights.size(); ++i) {
      random = random * 1664525 + 1013904223;
      // No f16 read from these bytes is subnormal, infinite or NaN.
      weights.data()[i] = static_cast<std::byte>((random >> 24 & 0x83) | 0x28);
    }
    for (int64_t i = 0; i < 128 * 1536; ++i) {
      random = random * 1664525 + 1013904223;
      reinterpret_cast<float*>(x.data())[i] = static_cast<float>(random >> 8) * 0x1p-24f - 0.5f;
    }
    std::memset(y.data(), 0, static_cast<size_t>(y.size()));
  }

  void run(const Kernel& kernel, const CpuCall& call) {
    pool.run(kernel.items(call), [&](int64_t b, int64_t e, int w) { kernel.run(call, b, e, w); });
  }

  // With one thread, its own CPU time: other programs then disturb through caches and memory only.
  double clock() {
    if (pool.threads() > 1) return host.now();
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  }

  // Seconds of one product with a [n, k] matrix and `tokens` rows, the best of several rounds; weights from all of
  // memory in turn.
  double time(int64_t n, int64_t k, int64_t tokens) {
    const Caps caps{.cpu_level = level, .threads = pool.threads()};
    const int64_t shape[2] = {n, k};
    const WeightLayout layout = layout_for(dtype, shape, caps);
    const Attrs attrs;
    const bool block = is_block(dtype);
    auto type = [](DType d, int64_t rows, int64_t columns) { return ValueType{d, {Dim{rows}, Dim{columns}}}; };
    const ValueType in[] = {type(block ? DType::i8_32 : DType::f32, tokens, k), type(dtype, n, k), {}};
    const ValueType out[] = {type(DType::f32, tokens, n)};
    const Kernel* kernel = choose_kernel({Op::linear, attrs, in, out, layout}, caps);
    TensorRef floats{.data = x.data(), .rank = 2, .dim = {tokens, k}};
    TensorRef rows{.data = quantized.data(), .dtype = DType::i8_32, .rank = 2, .dim = {tokens, k}};
    const Kernel* quantize = kernels(Op::quantize_rows)[0];
    CpuCall first{attrs, {&floats, 1}, {&rows, 1}, {}, pool.threads(), level};
    run(*quantize, first);
    TensorRef operands[3] = {block ? rows : floats, {.dtype = dtype, .rank = 2, .dim = {n, k}, .layout = layout}, {}};
    TensorRef result{.data = y.data(), .rank = 2, .dim = {tokens, n}};
    const CpuCall call{attrs,          operands, {&result, 1}, {scratch.data(), static_cast<size_t>(scratch.size())},
                       pool.threads(), level};
    const int64_t bytes = layout_bytes(dtype, shape, layout), stride = (bytes + 63) / 64 * 64;
    const int64_t copies = std::max<int64_t>(1, weights.size() / stride);
    double best = 1e30;
    const double end = host.now() + seconds;
    while (host.now() < end) {
      const int64_t rounds = tokens == 1 ? std::min<int64_t>(copies, 30) : 1;
      const double begin = clock();
      for (int64_t i = 0; i < rounds; ++i) {
        operands[1].data = weights.data() + next_ % copies * stride;
        ++next_;
        run(*kernel, call);
      }
      best = std::min(best, (clock() - begin) / static_cast<double>(rounds));
    }
    return best;
  }

  double bandwidth() {
    double best = 0;
    for (int repeat = 0; repeat < 8; ++repeat) {
      std::atomic<uint64_t> sink{0};
      const double begin = clock();
      pool.run(weights.size() >> 16, [&](int64_t b, int64_t e, int) {
        uint64_t sums[8] = {};
        const uint64_t* p = reinterpret_cast<const uint64_t*>(weights.data() + (b << 16));
        for (int64_t i = 0; i < (e - b) << 13; i += 8) {
          for (int j = 0; j < 8; ++j) sums[j] += p[i + j];
        }
        for (uint64_t sum : sums) sink += sum;
      });
      best = std::max(best, static_cast<double>(weights.size()) / (clock() - begin));
    }
    return best;
  }

 private:
  int64_t next_ = 0;
};

int main_of(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const DType dtype = dtype_from_name(argc > 2 ? argv[2] : "q8_0").value_or(DType::q8_0);
  const double seconds = argc > 3 ? std::atof(argv[3]) : 0.3;
  CpuLevel level = best_cpu_level();
  for (CpuLevel known : available_cpu_levels()) {
    if (argc > 4 && cpu_level_name(known) == argv[4]) level = known;
  }
  const int64_t megabytes = argc > 5 ? std::max(32, std::atoi(argv[5])) : 160;
  Bench bench(threads, dtype, level, seconds, megabytes);
  std::printf("%s, %d threads, %s; reads %.1f GB/s\n", std::string(name(dtype)).c_str(), bench.pool.threads(),
              std::string(cpu_level_name(level)).c_str(), bench.bandwidth() / 1e9);
  struct Shape {
    int64_t n, k;
    int layers, logits;
  };
  double decode = 0, prefill = 0;
  for (const Shape& s : {Shape{576, 576, 60, 0}, Shape{192, 576, 60, 0}, Shape{1536, 576, 60, 0},
                         Shape{576, 1536, 30, 0}, Shape{49152, 576, 1, 1}}) {
    if (s.k % info(dtype).block != 0) continue;  // K-quants: not every width
    const double one = bench.time(s.n, s.k, 1), many = bench.time(s.n, s.k, 128);
    const double bytes = static_cast<double>(s.n * row_bytes(dtype, s.k)),
                 macs = 128.0 * static_cast<double>(s.n * s.k);
    std::printf("%6lld x %-5lld T=1 %7.1f us %6.2f GB/s   T=128 %8.1f us %6.1f GMAC/s\n", static_cast<long long>(s.n),
                static_cast<long long>(s.k), one * 1e6, bytes / one / 1e9, many * 1e6, macs / many / 1e9);
    decode += s.layers * one;
    // Logits are made for one row of a prompt.
    prefill += s.logits ? one : s.layers * many;
  }
  std::printf("matrices alone: decode %.0f tokens/s, prefill(128) %.0f tokens/s\n", 1 / decode, 128 / prefill);
  return 0;
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) { return weft::main_of(argc, argv); }
