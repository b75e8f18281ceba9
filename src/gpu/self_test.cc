#include "gpu/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/half.h"
#include "ops/gpu_kernel.h"
#include "ops/wgsl.h"

namespace weft {
namespace {

constexpr size_t kPairs = 64, kThreads = 128;

// One kernel of one workgroup: what it reads (binding 0, if anything), how much it writes, and what is wrong with that.
struct Trial {
  std::string feature;
  GpuShader shader;
  std::vector<std::byte> input;
  int64_t output_bytes = 0;
  std::function<std::string(std::span<const std::byte>)> check;  // empty: all is well

  GpuPipeline pipeline = GpuPipeline::none;
  GpuBuffer in = GpuBuffer::none, out = GpuBuffer::none;
  GpuBindGroup group = GpuBindGroup::none;
  std::string found;
};

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

template <class T>
std::vector<T> values_of(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

std::string differs(const std::string& what, double wanted, double found) {
  char text[120];
  std::snprintf(text, sizeof text, "%.60s is %.9g instead of %.9g", what.c_str(), found, wanted);
  return text;
}

struct Numbers {  // the same everywhere, every time
  uint32_t state = 1;
  uint32_t next() { return (state = state * 1664525 + 1013904223) >> 8; }
};

// ── f16

// Sums and products are rounded to a neighbour, whichever; what is below the normal numbers may be 0, what is above the
// largest may stay the largest or become infinite.
std::string check_half(const char* what, double wanted, double scale, uint16_t bits) {
  const double found = f16_to_f32(bits), size = std::fabs(wanted);
  if (size > 65504) return found * wanted > 0 && std::fabs(found) >= 65504 ? "" : differs(what, wanted, found);
  const double allowed = std::max(scale * 0x1p-10, size < 0x1p-14 ? 0x1p-14 : 0.0);
  return std::fabs(found - wanted) <= allowed ? "" : differs(what, wanted, found);
}

Trial f16_trial() {
  std::vector<float> pairs = {60000, 60000, -60000, 2, 65504, 1, 0.01f, -0.001f, 1, 0x1p-11f, 1, -0x1p-11f, 2048, 1};
  Numbers numbers;
  while (pairs.size() < 2 * kPairs) pairs.push_back(static_cast<float>(numbers.next() % 4001) / 250 - 8);
  for (float& x : pairs) x = f16_to_f32(f32_to_f16(x));
  auto check = [pairs](std::span<const std::byte> bytes) -> std::string {
    const auto halves = values_of<uint16_t>(bytes);
    for (size_t i = 0; i < 2 * kPairs; ++i) {
      const size_t p = i % kPairs ^ i / kPairs;  // the second half took a way through workgroup memory
      const double a = pairs[2 * p], b = pairs[2 * p + 1];
      const uint16_t* r = halves.data() + 4 * i;
      const double product = std::fabs(a * b);
      for (const std::string& wrong :
           {check_half("a sum in f16", a + b, std::fabs(a + b), r[0]),
            check_half("a product in f16", a * b, product, r[1]),
            // Fused or not: two roundings, unless the product alone is too large.
            product > 65504 ? std::string() : check_half("an fma in f16", a * b + a, product + std::fabs(a), r[2]),
            check_half("a stored f16", -a, 0, r[3])}) {
        if (!wrong.empty()) return wrong;
      }
    }
    return {};
  };
  return {.feature = "f16",
          .shader = {"self_test_f16", specialised_wgsl("self_test_f16", "enable f16;\n")},
          .input = bytes_of(pairs),
          .output_bytes = static_cast<int64_t>(2 * kPairs * 8),
          .check = std::move(check)};
}

// ── packed integers

Trial dot_trial() {
  std::vector<uint32_t> pairs = {0x80808080, 0x80808080, 0x7f7f7f7f, 0x80808080, 0xffffffff, 0xffffffff, 0, 0x01020304};
  Numbers numbers;
  while (pairs.size() < 2 * kPairs) pairs.push_back(numbers.next() << 16 ^ numbers.next());
  auto check = [pairs](std::span<const std::byte> bytes) -> std::string {
    const auto words = values_of<uint32_t>(bytes);
    for (size_t i = 0; i < kPairs; ++i) {
      int32_t dot = 0;
      uint32_t unsigned_dot = 0, clamped = 0, wrapped = 0;
      for (int at = 0; at < 32; at += 8) {
        const uint32_t a = pairs[2 * i] >> at & 255, b = pairs[2 * i + 1] >> at & 255;
        const int sa = static_cast<int8_t>(a), sb = static_cast<int8_t>(b);
        dot += sa * sb;
        unsigned_dot += a * b;
        clamped |= (static_cast<uint32_t>(std::clamp(3 * sa, -128, 127)) & 255) << at;
        wrapped |= ((b + 1) & 255) << at;
      }
      const uint32_t wanted[] = {static_cast<uint32_t>(dot), unsigned_dot, clamped, wrapped};
      constexpr const char* kNames[] = {"dot4I8Packed", "dot4U8Packed", "pack4xI8Clamp", "pack4xU8"};
      for (size_t k = 0; k < 4; ++k) {
        if (words[4 * i + k] != wanted[k]) return differs(kNames[k], wanted[k], words[4 * i + k]);
      }
    }
    return {};
  };
  return {.feature = "packed-dot",
          .shader = {"self_test_dot", wgsl_source("self_test_dot")},
          .input = bytes_of(pairs),
          .output_bytes = static_cast<int64_t>(kPairs * 16),
          .check = std::move(check)};
}

// ── subgroups

struct View {  // as in self_test_subgroups.wgsl
  uint32_t size, lane, first, count, swapped, next;
  float sum;
  uint32_t largest;
};

std::string check_views(std::span<const View> views, uint32_t least, uint32_t most) {
  for (uint32_t thread = 0; thread < views.size(); ++thread) {
    const View& view = views[thread];
    const std::string at = " of thread " + std::to_string(thread);
    if (view.size < std::max(1u, least) || view.size > most || view.lane >= view.size)
      return differs("the subgroup size" + at, least, view.size);
    uint32_t count = 0, largest = 0, swapped = UINT32_MAX, next = UINT32_MAX;
    double sum = 0;
    for (uint32_t other = 0; other < views.size(); ++other) {
      if (views[other].first != view.first) continue;
      ++count;
      largest = other;
      sum += other + 0.5;
      if (views[other].lane == (view.lane ^ 1)) swapped = other;
      if (views[other].lane == (view.lane + 1) % view.size) next = other;
    }
    // Lanes without a thread have no number to give.
    if (view.count != count) return differs("subgroupAdd(1)" + at, count, view.count);
    if (view.largest != largest) return differs("subgroupMax" + at, largest, view.largest);
    if (swapped != UINT32_MAX && view.swapped != swapped)
      return differs("subgroupShuffleXor" + at, swapped, view.swapped);
    if (next != UINT32_MAX && view.next != next) return differs("subgroupShuffle" + at, next, view.next);
    if (std::fabs(view.sum - sum) > 1e-3) return differs("subgroupAdd" + at, sum, static_cast<double>(view.sum));
  }
  return {};
}

Trial subgroup_trial(const GpuInfo& info) {
  return {.feature = "subgroups",
          .shader = {"self_test_subgroups", specialised_wgsl("self_test_subgroups", "enable subgroups;\n")},
          .output_bytes = static_cast<int64_t>(kThreads * sizeof(View)),
          .check = [least = info.subgroup_min, most = info.subgroup_max](std::span<const std::byte> bytes) {
            return check_views(values_of<View>(bytes), least, most);
          }};
}

// ── subgroup matrices

std::string matrix_feature(const GpuInfo::MatrixShape& s) {
  return "subgroup-matrix " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) +
         (s.f32_sum ? " f32" : " f16");
}

Trial matrix_trial(const GpuInfo& info, const GpuInfo::MatrixShape& s) {
  // Small whole numbers: every sum is exact, in f16 too.
  std::vector<uint16_t> factors;
  Numbers numbers;
  for (uint32_t i = 0; i < (s.m + s.n) * s.k; ++i)
    factors.push_back(f32_to_f16(static_cast<float>(numbers.next() % 7) - 3));
  Constants c;
  c.line("enable f16;").line("enable subgroups;").line("enable chromium_experimental_subgroup_matrix;");
  c.u32("kThreads", info.subgroup_max).u32("kM", s.m).u32("kN", s.n).u32("kK", s.k);
  c.alias("Sum", s.f32_sum ? "f32" : "f16");
  auto check = [s, factors](std::span<const std::byte> bytes) -> std::string {
    const auto results = values_of<float>(bytes);
    for (uint32_t m = 0; m < s.m; ++m) {
      for (uint32_t n = 0; n < s.n; ++n) {
        float sum = 0;
        for (uint32_t k = 0; k < s.k; ++k)
          sum += 2 * f16_to_f32(factors[m * s.k + k]) * f16_to_f32(factors[(s.m + n) * s.k + k]);
        if (const float found = results[m * s.n + n]; found != sum)
          return differs("element [" + std::to_string(m) + ", " + std::to_string(n) + "] of a product",
                         static_cast<double>(sum), static_cast<double>(found));
      }
    }
    return {};
  };
  return {.feature = matrix_feature(s),
          .shader = {"self_test_matrix", specialised_wgsl("self_test_matrix", c.text())},
          .input = bytes_of(factors),
          .output_bytes = static_cast<int64_t>(s.m) * s.n * 4,
          .check = std::move(check)};
}

// ── running them

// All at once; where one is refused, one by one, to know which.
Task<Status> compile(Gpu& gpu, std::vector<Trial>& trials) {
  std::vector<GpuShader> shaders;
  for (const Trial& trial : trials) shaders.push_back(trial.shader);
  if (auto all = co_await gpu.create_pipelines(shaders)) {
    for (size_t i = 0; i < trials.size(); ++i) trials[i].pipeline = (*all)[i];
    co_return Status{};
  }
  for (Trial& trial : trials) {
    auto one = co_await gpu.create_pipeline(trial.shader);
    if (one) {
      trial.pipeline = *one;
    } else if (one.error().code == Code::device_lost) {
      co_return std::unexpected(std::move(one).error());
    } else {
      trial.found = one.error().message();
    }
  }
  co_return Status{};
}

Task<Status> run(Gpu& gpu, std::vector<Trial>& trials) {
  WEFT_CO_CHECK_OK(co_await compile(gpu, trials));
  GpuCommands commands;
  for (Trial& trial : trials) {
    if (trial.pipeline == GpuPipeline::none) continue;
    std::vector<GpuRange> ranges;
    if (const int64_t bytes = static_cast<int64_t>(trial.input.size()); bytes > 0) {
      WEFT_CO_TRY(trial.in, co_await gpu.create_buffer(bytes, trial.shader.label + " input"));
      WEFT_CO_CHECK_OK(gpu.write(trial.in, 0, trial.input));
      ranges.push_back({trial.in, 0, bytes});
    }
    WEFT_CO_TRY(trial.out, co_await gpu.create_buffer(trial.output_bytes, trial.shader.label + " output"));
    ranges.push_back({trial.out, 0, trial.output_bytes});
    WEFT_CO_TRY(trial.group, gpu.create_bind_group(trial.pipeline, ranges));
    commands.dispatch(trial.pipeline, trial.group, 1, 1, 1);
  }
  WEFT_CO_CHECK_OK(gpu.submit(commands));
  for (Trial& trial : trials) {
    if (trial.pipeline == GpuPipeline::none) continue;
    std::vector<std::byte> bytes(static_cast<size_t>(trial.output_bytes));
    WEFT_CO_CHECK_OK(co_await gpu.read(trial.out, 0, bytes));
    trial.found = trial.check(bytes);
  }
  co_return Status{};
}

}  // namespace

Task<Result<std::vector<FeatureTest>>> test_features(Gpu& gpu) {
  const GpuInfo& info = gpu.info();
  std::vector<Trial> trials;
  std::vector<FeatureTest> tests;
  if (info.f16) trials.push_back(f16_trial());
  if (info.packed_dot) trials.push_back(dot_trial());
  if (info.subgroups) trials.push_back(subgroup_trial(info));
  for (const GpuInfo::MatrixShape& shape : info.matrices) {
    // Rows are packed by eight, and the sums of a result share workgroup memory with nothing else.
    const bool runs = info.f16 && info.subgroups && shape.k % 8 == 0 && shape.k > 0 && shape.m * shape.n <= 1024 &&
                      info.subgroup_max <= info.max_workgroup_invocations;
    if (runs) trials.push_back(matrix_trial(info, shape));
    if (!runs) tests.push_back({matrix_feature(shape), false, "a shape that no kernel here can use"});
  }
  Status done = co_await run(gpu, trials);
  for (Trial& trial : trials) {
    if (trial.group != GpuBindGroup::none) gpu.destroy(trial.group);
    for (GpuBuffer buffer : {trial.in, trial.out}) {
      if (buffer != GpuBuffer::none) gpu.destroy(buffer);
    }
    tests.push_back({trial.feature, trial.found.empty(), std::move(trial.found)});
  }
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return tests;
}

GpuInfo without_failed(GpuInfo info, std::span<const FeatureTest> tests) {
  const auto failed = [&](const std::string& feature) {
    for (const FeatureTest& test : tests) {
      if (test.feature == feature && !test.passed) return true;
    }
    return false;
  };
  if (failed("f16")) info.f16 = false;
  if (failed("packed-dot")) info.packed_dot = false;
  if (failed("subgroups")) {
    info.subgroups = false;
    info.subgroup_min = info.subgroup_max = 0;
  }
  // Matrices have factors of f16 and belong to subgroups.
  std::erase_if(info.matrices, [&](const GpuInfo::MatrixShape& shape) {
    return !info.f16 || !info.subgroups || failed(matrix_feature(shape));
  });
  info.subgroup_matrix = info.subgroup_matrix && !info.matrices.empty();
  return info;
}

}  // namespace weft
