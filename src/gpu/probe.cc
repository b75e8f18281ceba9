#include "gpu/probe.h"

#include <algorithm>
#include <cmath>

#include "ops/gpu_kernel.h"
#include "ops/wgsl.h"

namespace weft {
namespace {

constexpr int64_t kReadBytes = int64_t{1} << 30, kSoftwareReadBytes = int64_t{64} << 20;
constexpr uint32_t kReadThreads = 256, kReadLoads[] = {4, 8, 16, 32};  // as in probe_read.wgsl
constexpr double kLongEnough = 0.1, kTooLong = 0.5;                    // seconds of one measurement
constexpr int kReadBacks = 33;

// The buffers and bind groups of a measurement, given back at its end.
class Bench {
 public:
  Bench(Host& host, Gpu& gpu) : host_(host), gpu_(gpu) {}
  ~Bench() {
    for (GpuBindGroup group : groups_) gpu_.destroy(group);
    for (GpuBuffer buffer : buffers_) gpu_.destroy(buffer);
  }

  Task<Result<GpuRange>> buffer(int64_t bytes, const char* label) {
    WEFT_CO_TRY(buffers_.emplace_back(), co_await gpu_.create_buffer(bytes, label));
    co_return GpuRange{buffers_.back(), 0, bytes};
  }
  Result<GpuBindGroup> group(GpuPipeline pipeline, std::initializer_list<GpuRange> ranges) {
    WEFT_TRY(groups_.emplace_back(), gpu_.create_bind_group(pipeline, {ranges.begin(), ranges.size()}));
    return groups_.back();
  }

  // Bytes that look random, in pieces that a binding can hold.
  Task<Status> fill(GpuRange range) {
    WEFT_CO_TRY(const GpuPipeline pipeline, co_await gpu_.create_pipeline({"probe_fill", wgsl_source("probe_fill")}));
    GpuCommands commands;
    const int64_t piece = gpu_.info().max_binding_bytes / kGpuAlignment * kGpuAlignment;
    for (int64_t at = 0; at < range.bytes; at += piece) {
      WEFT_CO_TRY(const GpuBindGroup part,
                  group(pipeline, {{range.buffer, range.offset + at, std::min(piece, range.bytes - at)}}));
      commands.dispatch(pipeline, part, 4096, 1, 1);
    }
    WEFT_CO_CHECK_OK(gpu_.submit(commands));
    co_return co_await gpu_.finish();
  }

  // Seconds for one `commands`, submitted again and again without waiting; the best of three.
  Task<Result<double>> time(const GpuCommands& commands) {
    double best = 0;
    int64_t count = 1;
    for (int measured = 0; measured < 3;) {
      WEFT_CO_CHECK_OK(co_await gpu_.finish());
      const double begin = host_.now();
      for (int64_t i = 0; i < count; ++i) WEFT_CO_CHECK_OK(gpu_.submit(commands));
      WEFT_CO_CHECK_OK(co_await gpu_.finish());
      const double seconds = host_.now() - begin;
      if (seconds < kLongEnough && count < (1 << 20)) {
        count *= 2;  // this one also warms up
        continue;
      }
      const double each = seconds / static_cast<double>(count);
      best = measured == 0 ? each : std::min(best, each);
      ++measured;
      if (seconds > kTooLong) break;
      co_await host_.yield();
    }
    co_return best;
  }

  Host& host_;
  Gpu& gpu_;

 private:
  std::vector<GpuBuffer> buffers_;
  std::vector<GpuBindGroup> groups_;
};

Task<Result<double>> read_bandwidth(Bench& bench) {
  Gpu& gpu = bench.gpu_;
  const GpuInfo& info = gpu.info();
  constexpr int64_t kUnit = int64_t{16} * kReadThreads * kReadLoads[std::size(kReadLoads) - 1];
  const int64_t most = std::min({info.software ? kSoftwareReadBytes : kReadBytes, info.max_binding_bytes,
                                 int64_t{info.max_workgroups} * 16 * kReadThreads * kReadLoads[0]});
  const int64_t bytes = most / kUnit * kUnit;
  WEFT_CO_TRY(const GpuRange data, co_await bench.buffer(bytes, "read probe"));
  WEFT_CO_TRY(const GpuRange result, co_await bench.buffer(16, "read probe result"));
  WEFT_CO_CHECK_OK(co_await bench.fill(data));
  double best = 0;
  for (uint32_t loads : kReadLoads) {
    Constants c;
    c.u32("kLoads", loads);
    WEFT_CO_TRY(const GpuPipeline pipeline,
                co_await gpu.create_pipeline({"probe_read", specialised_wgsl("probe_read", c.text())}));
    WEFT_CO_TRY(const GpuBindGroup group, bench.group(pipeline, {data, result}));
    GpuCommands commands;
    for (int i = 0; i < 4; ++i)
      commands.dispatch(pipeline, group, static_cast<uint32_t>(bytes / (int64_t{16} * kReadThreads * loads)), 1, 1);
    WEFT_CO_TRY(const double seconds, co_await bench.time(commands));
    best = std::max(best, 4 * static_cast<double>(bytes) / seconds);
  }
  co_return best;
}

Task<Status> small_dispatches(Bench& bench, GpuMeasures& out) {
  constexpr int kCount = 256;
  Gpu& gpu = bench.gpu_;
  WEFT_CO_TRY(const GpuPipeline pipeline,
              co_await gpu.create_pipeline({"probe_dispatch", wgsl_source("probe_dispatch")}));
  WEFT_CO_TRY(const GpuRange data, co_await bench.buffer(256, "dispatch probe"));
  // Two groups in turn, as the same one again would cost the host less than a model's dispatches do.
  WEFT_CO_TRY(const GpuBindGroup even, bench.group(pipeline, {data}));
  WEFT_CO_TRY(const GpuBindGroup odd, bench.group(pipeline, {data}));
  GpuCommands commands;
  for (int i = 0; i < kCount; ++i) commands.dispatch(pipeline, i % 2 ? odd : even, 1, 1, 1);
  WEFT_CO_TRY(const double seconds, co_await bench.time(commands));
  out.dispatch = seconds / kCount;

  GpuCommands one;
  one.dispatch(pipeline, even, 1, 1, 1);
  std::vector<double> waits;
  std::array<std::byte, 4> word;
  for (int i = 0; i < kReadBacks; ++i) {
    const double begin = bench.host_.now();
    WEFT_CO_CHECK_OK(gpu.submit(one));
    WEFT_CO_CHECK_OK(co_await gpu.read(data.buffer, 0, word));
    waits.push_back(bench.host_.now() - begin);
  }
  std::ranges::nth_element(waits, waits.begin() + kReadBacks / 2);
  out.read_back = waits[kReadBacks / 2];
  co_return Status{};
}

struct Matrix {
  int64_t rows, columns;
  bool operator==(const Matrix&) const = default;
};

Task<Result<double>> probe_steps(Bench& bench) {
  constexpr int kLayers = 30;
  constexpr int64_t kWidth = 576, kQkv = 960, kInner = 1536, kVocabulary = 49152;
  Gpu& gpu = bench.gpu_;
  std::vector<Matrix> chain = {{kWidth, kWidth}};
  for (int layer = 0; layer < kLayers; ++layer) {
    for (Matrix m : {Matrix{kQkv, kWidth}, Matrix{kWidth, kWidth}, Matrix{kInner, kWidth}, Matrix{kInner, kWidth},
                     Matrix{kWidth, kInner}})
      chain.push_back(m);
  }
  chain.push_back({kVocabulary, kWidth});
  CHECK(chain.size() == static_cast<size_t>(kProbeDispatches));

  int64_t bytes = 0;
  for (const Matrix& m : chain) bytes += m.rows * m.columns;
  WEFT_CO_TRY(const GpuRange weights, co_await bench.buffer(bytes, "matvec probe weights"));
  WEFT_CO_CHECK_OK(co_await bench.fill(weights));
  WEFT_CO_TRY(const GpuRange even, co_await bench.buffer(kVocabulary * 4, "matvec probe"));
  WEFT_CO_TRY(const GpuRange odd, co_await bench.buffer(kVocabulary * 4, "matvec probe"));
  std::vector<float> ones(static_cast<size_t>(kVocabulary), 1.0f);
  WEFT_CO_CHECK_OK(gpu.write(odd.buffer, 0, std::as_bytes(std::span(ones))));

  std::vector<std::pair<Matrix, GpuPipeline>> pipelines;
  GpuCommands commands;
  int64_t at = 0;
  // gate and up read the same and write to the same place; everything else goes back and forth.
  bool from_odd = true;
  for (size_t i = 0; i < chain.size(); ++i) {
    const Matrix& m = chain[i];
    auto known = std::ranges::find(pipelines, m, &std::pair<Matrix, GpuPipeline>::first);
    if (known == pipelines.end()) {
      // The weights' standard deviation is 74: what comes out is as large as what goes in.
      Constants c;
      c.u32("kRows", m.rows).u32("kColumns", m.columns);
      c.f32("kScale", 1 / (74 * std::sqrt(static_cast<float>(m.columns))));
      WEFT_CO_TRY(const GpuPipeline made,
                  co_await gpu.create_pipeline({"probe_matvec", specialised_wgsl("probe_matvec", c.text())}));
      known = pipelines.insert(pipelines.end(), {m, made});
    }
    WEFT_CO_TRY(const GpuBindGroup group,
                bench.group(known->second,
                            {{weights.buffer, at, m.rows * m.columns}, from_odd ? odd : even, from_odd ? even : odd}));
    commands.dispatch(known->second, group, static_cast<uint32_t>(m.rows / 4), 1, 1);
    at += m.rows * m.columns;
    const bool gate = m.rows == kInner && i + 1 < chain.size() && chain[i + 1] == m;
    if (!gate) from_odd = !from_odd;
  }
  WEFT_CO_TRY(const double seconds, co_await bench.time(commands));
  co_return 1 / seconds;
}

}  // namespace

Task<Result<GpuMeasures>> measure_gpu(Host& host, Gpu& gpu) {
  GpuMeasures out;
  {
    Bench bench(host, gpu);
    WEFT_CO_TRY(out.read_bandwidth, co_await read_bandwidth(bench));
  }
  Bench bench(host, gpu);
  WEFT_CO_CHECK_OK(co_await small_dispatches(bench, out));
  WEFT_CO_TRY(out.probe_steps, co_await probe_steps(bench));
  co_return out;
}

}  // namespace weft
