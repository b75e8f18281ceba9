// Gpu on Dawn, on whatever GPU the driver named by VK_DRIVER_FILES is. WEFT_TEST_GPU (set by ctest) says that there
// must be one; without it and without a GPU these tests are skipped.
#include "gpu/gpu.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "support/support.h"

namespace weft {
namespace {

constexpr const char* kTwice = R"(
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&x)) { x[id.x] *= 2; }
}
)";

// result = source + 1, on declarations in another order, one of them not used
constexpr const char* kNext = R"(
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read> unused: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < arrayLength(&result)) { result[id.x] = source[id.x] + 1; }
}
)";

std::vector<uint32_t> numbers(size_t count, uint32_t first) {
  std::vector<uint32_t> out(count);
  std::iota(out.begin(), out.end(), first);
  return out;
}

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = test::run(open_gpu(host_, {.robust = true}));
    if (!made && made.error().code == Code::no_device && !std::getenv("WEFT_TEST_GPU"))
      GTEST_SKIP() << "skipped: " << made.error().message();
    ASSERT_OK(made);
    gpu_ = *std::move(made);
  }
  GpuBuffer buffer(int64_t bytes, std::string label = "x") {
    auto made = test::run(gpu_->create_buffer(bytes, std::move(label)));
    EXPECT_OK(made);
    return made.value_or(GpuBuffer::none);
  }
  GpuPipeline pipeline(std::string label, std::string wgsl) {
    auto made = test::run(gpu_->create_pipeline({std::move(label), std::move(wgsl)}));
    EXPECT_OK(made);
    return made.value_or(GpuPipeline::none);
  }
  GpuBindGroup group(GpuPipeline pipeline, std::span<const GpuRange> ranges) {
    auto made = gpu_->create_bind_group(pipeline, ranges);
    EXPECT_OK(made);
    return made.value_or(GpuBindGroup::none);
  }
  void write(GpuBuffer buffer, std::span<const uint32_t> values, int64_t offset = 0) {
    ASSERT_OK(gpu_->write(buffer, offset, std::as_bytes(values)));
  }
  std::vector<uint32_t> read(GpuBuffer buffer, size_t count, int64_t offset = 0) {
    std::vector<uint32_t> out(count, 0xdead);
    EXPECT_OK(test::run(gpu_->read(buffer, offset, std::as_writable_bytes(std::span(out)))));
    return out;
  }

  // With what the GPU finds only once the commands reach it.
  Status submitted(const GpuCommands& commands) {
    WEFT_CHECK_OK(gpu_->submit(commands));
    WEFT_CHECK_OK(test::run(gpu_->finish()));
    return gpu_->health();
  }

  test::TestHost host_;
  std::unique_ptr<Gpu> gpu_;
};

TEST_F(GpuTest, info_is_filled) {
  const GpuInfo& info = gpu_->info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_EQ(info.backend, "vulkan");
  EXPECT_GE(info.max_buffer_bytes, int64_t{256} << 20);
  EXPECT_GE(info.max_binding_bytes, int64_t{128} << 20);
  EXPECT_GE(info.max_workgroup_invocations, 256u);
  EXPECT_EQ(info.subgroups, info.subgroup_min > 0);
  EXPECT_EQ(info.subgroup_matrix, !info.matrices.empty());
  ASSERT_OK_AND(auto adapters, test::run(gpu_adapters(host_)));
  ASSERT_FALSE(adapters.empty());
  EXPECT_EQ(adapters[0].name, info.name);
  EXPECT_ERROR(Code::no_device, test::run(open_gpu(host_, {.adapter = static_cast<int>(adapters.size())})));
  EXPECT_ERROR(Code::no_device, test::run(open_gpu(host_, {.adapter = -1})));
  if (info.software) EXPECT_ERROR(Code::no_device, test::run(open_gpu(host_, {.allow_software = false})));
}

TEST_F(GpuTest, buffers_are_zero_and_round_trip_at_odd_sizes) {
  for (size_t count : {1, 3, 25, 257, 16385, 262145}) {
    GpuBuffer x = buffer(static_cast<int64_t>(4 * count));
    EXPECT_EQ(read(x, count), std::vector<uint32_t>(count)) << count;
    auto in = numbers(count, 17);
    write(x, in);
    EXPECT_EQ(read(x, count), in) << count;
    if (count > 4) {
      write(x, std::vector<uint32_t>{1, 2, 3}, static_cast<int64_t>(4 * (count / 2)));
      EXPECT_EQ(read(x, 3, static_cast<int64_t>(4 * (count / 2))), (std::vector<uint32_t>{1, 2, 3}));
    }
    gpu_->destroy(x);
  }
}

TEST_F(GpuTest, commands_run_in_order) {
  GpuBuffer a = buffer(4000, "a"), b = buffer(4000, "b"), c = buffer(8000, "c");
  GpuPipeline twice = pipeline("twice", kTwice), next = pipeline("next", kNext);
  GpuBindGroup on_a = group(twice, {{{a, 0, 4000}}}), on_b = group(twice, {{{b, 0, 4000}}});
  GpuBindGroup a_to_b = group(next, {{{a, 0, 4000}, {}, {b, 0, 4000}, {c, 0, 16}}});
  auto in = numbers(1000, 5);
  write(a, in);
  GpuCommands commands;
  commands.dispatch(twice, on_a, 16, 1, 1);
  commands.dispatch(twice, on_a, 16, 1, 1);
  commands.dispatch(next, a_to_b, 16, 1, 1);
  commands.dispatch(twice, on_b, 16, 1, 1);
  commands.copy(b, 0, c, 4000, 4000);
  commands.fill_zero(b, 400, 800);
  commands.dispatch(twice, on_a, 16, 1, 1);
  ASSERT_OK(gpu_->submit(commands));
  auto out = read(c, 1000, 4000), cleared = read(b, 1000), eight = read(a, 1000);
  for (size_t i = 0; i < 1000; ++i) {
    uint32_t x = 5 + static_cast<uint32_t>(i);
    ASSERT_EQ(eight[i], 8 * x) << i;
    ASSERT_EQ(out[i], 2 * (4 * x + 1)) << i;
    ASSERT_EQ(cleared[i], i >= 100 && i < 300 ? 0 : 2 * (4 * x + 1)) << i;
  }
  commands.clear();
  ASSERT_OK(gpu_->submit(commands));
}

TEST_F(GpuTest, offsets_of_bindings_and_uniforms) {
  auto align = static_cast<int64_t>(gpu_->info().offset_alignment);
  GpuBuffer params = buffer(16, "params"), x = buffer(4 * align, "x");
  write(params, std::vector<uint32_t>{3, 4, 0, 0});
  GpuPipeline p = pipeline("fill", R"(
struct Params { first: u32, step: u32, a: u32, b: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) { x[id.x] = params.first + params.step * id.x; }
)");
  GpuBindGroup g = group(p, {{{params, 0, 16}, {x, align, 8}}});
  GpuCommands commands;
  commands.dispatch(p, g, 2, 1, 1);
  ASSERT_OK(gpu_->submit(commands));
  EXPECT_EQ(read(x, 2, align), (std::vector<uint32_t>{3, 7}));
  EXPECT_EQ(read(x, 1), (std::vector<uint32_t>{0}));
}

TEST_F(GpuTest, several_reads_at_once) {
  GpuBuffer x = buffer(4096);
  GpuPipeline twice = pipeline("twice", kTwice);
  GpuBindGroup g = group(twice, {{{x, 0, 4096}}});
  write(x, numbers(1024, 1));
  GpuCommands commands;
  commands.dispatch(twice, g, 16, 1, 1);
  std::vector<GpuTicket> tickets;
  for (int i = 0; i < 6; ++i) {
    ASSERT_OK_AND(GpuTicket t, gpu_->begin_read(x, 4 * i, 4 * (i + 1)));
    tickets.push_back(t);
    ASSERT_OK(gpu_->submit(commands));
  }
  for (int i : {3, 0, 5, 1, 2, 4}) {
    std::vector<uint32_t> out(static_cast<size_t>(i + 1));
    ASSERT_OK(test::run(gpu_->end_read(tickets[static_cast<size_t>(i)], std::as_writable_bytes(std::span(out)))));
    for (size_t k = 0; k < out.size(); ++k) EXPECT_EQ(out[k], (1 + static_cast<size_t>(i) + k) << i);
  }
  std::byte four[4];
  EXPECT_ERROR(Code::invalid_argument, test::run(gpu_->end_read(tickets[0], four)));
  ASSERT_OK_AND(GpuTicket t, gpu_->begin_read(x, 0, 8));
  EXPECT_ERROR(Code::invalid_argument, test::run(gpu_->end_read(t, four)));
  EXPECT_ERROR(Code::invalid_argument, gpu_->begin_read(x, 0, 4100));
  EXPECT_ERROR(Code::invalid_argument, gpu_->begin_read(x, 2, 4));
  EXPECT_ERROR(Code::invalid_argument, gpu_->begin_read(x, 0, 0));
  ASSERT_OK(gpu_->begin_read(x, 0, 8));  // never ended: the Gpu goes with it under way
}

TEST_F(GpuTest, bad_kernels_name_line_and_message) {
  auto bad = test::run(gpu_->create_pipeline({"ops/broken.wgsl", "\n\nfn f() -> f32 { return missing_name; }\n"}));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::bad_shader);
  std::string message = bad.error().message();
  EXPECT_NE(message.find("ops/broken.wgsl"), std::string::npos) << message;
  EXPECT_NE(message.find("line 3"), std::string::npos) << message;
  EXPECT_NE(message.find("missing_name"), std::string::npos) << message;

  for (const char* wgsl : {"", "fn f() {}", "@compute @workgroup_size(4096) fn main() {}", "@compute fn main() {}",
                           "@group(0) @binding(0) var<storage, read_write> x: array<u32>;\n"
                           "@group(0) @binding(0) var<storage, read_write> y: array<u32>;\n"
                           "@compute @workgroup_size(1) fn main() { x[0] = y[0]; }",
                           "@group(1) @binding(0) var<storage, read_write> x: array<u32>;\n"
                           "@compute @workgroup_size(1) fn main() { x[0] = 1; }"}) {
    auto made = test::run(gpu_->create_pipeline({"label", wgsl}));
    ASSERT_FALSE(made) << wgsl;
    EXPECT_EQ(made.error().code, Code::bad_shader) << made.error().message();
    EXPECT_EQ(made.error().where, "label");
  }
  EXPECT_OK(gpu_->health());
  pipeline("twice", kTwice);
}

TEST_F(GpuTest, many_kernels_at_once) {
  std::vector<GpuShader> shaders;
  for (int i = 0; i < 24; ++i)
    shaders.push_back({"k" + std::to_string(i),
                       "@group(0) @binding(0) var<storage, read_write> x: array<u32>;\n"
                       "@compute @workgroup_size(1) fn main() { x[" +
                           std::to_string(i) + "] = " + std::to_string(i * i) + "; }"});
  ASSERT_OK_AND(auto made, test::run(gpu_->create_pipelines(shaders)));
  ASSERT_EQ(made.size(), 24u);
  GpuBuffer x = buffer(96);
  GpuCommands commands;
  for (GpuPipeline p : made) commands.dispatch(p, group(p, {{{x, 0, 96}}}), 1, 1, 1);
  ASSERT_OK(gpu_->submit(commands));
  auto out = read(x, 24);
  for (uint32_t i = 0; i < 24; ++i) EXPECT_EQ(out[i], i * i);

  shaders[7].wgsl = "nonsense";
  auto bad = test::run(gpu_->create_pipelines(shaders));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().where, "k7");
  EXPECT_OK(test::run(gpu_->create_pipelines({})));
}

TEST_F(GpuTest, bindings_that_do_not_fit) {
  GpuBuffer x = buffer(4096), y = buffer(4096, "y");
  GpuPipeline twice = pipeline("twice", kTwice), next = pipeline("next", kNext);
  auto error = [&](GpuPipeline p, std::span<const GpuRange> ranges) {
    auto made = gpu_->create_bind_group(p, ranges);
    EXPECT_FALSE(made);
    if (!made) EXPECT_EQ(made.error().code, Code::invalid_argument);
    return made ? std::string("none") : made.error().message();
  };
  EXPECT_NE(error(next, {{{x, 0, 4096}, {}, {y, 0, 4096}}}).find("next: binding 3"), std::string::npos);
  error(twice, {});
  error(twice, {{{x, 0, 4096}, {y, 0, 4096}}});
  error(twice, {{{x, 4, 4092}}});
  error(twice, {{{x, 0, 4100}}});
  error(twice, {{{x, 4096, 4}}});
  error(twice, {{{x, 0, 0}}});
  error(twice, {{{x, -256, 256}}});
  error(twice, {{{x, 256, INT64_MAX - 255}}});
  error(GpuPipeline{999}, {{{x, 0, 4096}}});
  gpu_->destroy(y);
  error(twice, {{{y, 0, 4096}}});

  // What only the GPU's own checks find comes back from submit or, in a browser, later; once.
  GpuCommands commands;
  commands.dispatch(next, group(twice, {{{x, 0, 4096}}}), 1, 1, 1);
  EXPECT_ERROR(Code::invalid_argument, submitted(commands));
  EXPECT_OK(gpu_->health());
  commands.clear();
  commands.copy(x, 0, x, 2048, 16);  // within one buffer
  EXPECT_ERROR(Code::invalid_argument, submitted(commands));
  write(x, numbers(4, 4));
  EXPECT_EQ(read(x, 4), numbers(4, 4));
}

TEST_F(GpuTest, handles_of_destroyed_things_are_refused) {
  GpuPipeline twice = pipeline("twice", kTwice);
  GpuBuffer old = buffer(64);
  GpuBindGroup old_group = group(twice, {{{old, 0, 64}}});
  gpu_->destroy(old);
  GpuCommands commands;
  commands.dispatch(twice, old_group, 1, 1, 1);
  EXPECT_ERROR(Code::invalid_argument, submitted(commands));  // its buffer is gone
  gpu_->destroy(old_group);
  GpuBuffer x = buffer(64);
  GpuBindGroup g = group(twice, {{{x, 0, 64}}});
  EXPECT_NE(old, x);
  EXPECT_NE(old_group, g);
  EXPECT_ERROR(Code::invalid_argument, gpu_->submit(commands));
  EXPECT_ERROR(Code::invalid_argument, gpu_->write(old, 0, {}));
  EXPECT_ERROR(Code::invalid_argument, gpu_->begin_read(old, 0, 4));
  for (int kind = 0; kind < 3; ++kind) {
    commands.clear();
    if (kind == 0) commands.copy(old, 0, x, 0, 4);
    if (kind == 1) commands.copy(x, 0, GpuBuffer::none, 0, 4);
    if (kind == 2) commands.fill_zero(old, 0, 4);
    EXPECT_ERROR(Code::invalid_argument, gpu_->submit(commands));
  }
  commands.clear();
  commands.dispatch(GpuPipeline::none, g, 1, 1, 1);
  EXPECT_ERROR(Code::invalid_argument, gpu_->submit(commands));
  commands.clear();
  commands.dispatch(twice, GpuBindGroup::none, 1, 1, 1);
  EXPECT_ERROR(Code::invalid_argument, gpu_->submit(commands));
  gpu_->destroy(old);
  gpu_->destroy(GpuBuffer::none);
  gpu_->destroy(GpuBindGroup::none);
  commands.clear();
  commands.dispatch(twice, g, 1, 1, 1);
  EXPECT_OK(gpu_->submit(commands));
}

TEST_F(GpuTest, memory_is_counted_and_bounded) {
  EXPECT_EQ(gpu_->bytes_in_use(), 0);
  EXPECT_ERROR(Code::out_of_memory, test::run(gpu_->create_buffer(gpu_->info().max_buffer_bytes / 4 * 4 + 4, "huge")));
  EXPECT_ERROR(Code::out_of_memory, test::run(gpu_->create_buffer(int64_t{1} << 62, "huge")));
  for (int64_t bytes : {0, -4, 6}) EXPECT_ERROR(Code::invalid_argument, test::run(gpu_->create_buffer(bytes, "odd")));
  EXPECT_EQ(gpu_->bytes_in_use(), 0);
  GpuBuffer x = buffer(1 << 20), y = buffer(12);
  EXPECT_EQ(gpu_->bytes_in_use(), (1 << 20) + 12);
  gpu_->destroy(y);
  gpu_->destroy(y);
  EXPECT_EQ(gpu_->bytes_in_use(), 1 << 20);
  read(x, 1 << 18);
  int64_t with_staging = gpu_->bytes_in_use();
  EXPECT_EQ(with_staging, 2 << 20);
  for (size_t i = 1; i < 20; ++i) read(x, i << 13);
  EXPECT_EQ(gpu_->bytes_in_use(), with_staging);
  GpuBuffer large = buffer(int64_t{40} << 20);
  read(large, size_t{10} << 20);  // its staging buffer does not stay
  gpu_->destroy(large);
  EXPECT_EQ(gpu_->bytes_in_use(), with_staging);
}

TEST_F(GpuTest, ten_thousand_submits_do_not_grow) {
  GpuBuffer x = buffer(256);
  GpuPipeline p = pipeline("count", R"(
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { x[0] += 1; }
)");
  GpuBindGroup g = group(p, {{{x, 0, 256}}});
  GpuCommands commands;
  commands.dispatch(p, g, 1, 1, 1);
  read(x, 1);
  int64_t before = gpu_->bytes_in_use();
  for (int i = 0; i < 10000; ++i) {
    ASSERT_OK(gpu_->submit(commands));
    if (i % 500 == 499) ASSERT_OK(test::run(gpu_->finish()));
  }
  EXPECT_EQ(read(x, 1)[0], 10000u);
  EXPECT_EQ(gpu_->bytes_in_use(), before);
}

TEST_F(GpuTest, writes_of_more_than_may_wait) {
  constexpr size_t kCount = size_t{24} << 20;  // 96 MiB, three times
  GpuBuffer x = buffer(4 * kCount);
  for (uint32_t first : {1, 2, 3}) write(x, numbers(kCount, first));
  EXPECT_EQ(read(x, 4, 4 * (kCount - 4)), numbers(4, kCount - 4 + 3));
}

TEST_F(GpuTest, timestamps) {
  if (!gpu_->info().timestamps) GTEST_SKIP() << "skipped: no timestamps";
  GpuBuffer x = buffer(4096);
  GpuPipeline twice = pipeline("twice", kTwice);
  GpuBindGroup g = group(twice, {{{x, 0, 4096}}});
  GpuCommands commands;
  for (uint32_t i : {0u, 1u, 2u, kMaxTimedPasses - 1}) {
    commands.timed_pass(i);
    for (int k = 0; k < 50; ++k) commands.dispatch(twice, g, 16, 1, 1);
  }
  commands.fill_zero(x, 0, 16);
  commands.dispatch(twice, g, 16, 1, 1);
  ASSERT_OK(gpu_->submit(commands));
  ASSERT_OK_AND(auto times, test::run(gpu_->read_timestamps(kMaxTimedPasses)));
  ASSERT_EQ(times.size(), kMaxTimedPasses);
  std::vector<std::pair<uint64_t, uint64_t>> timed = {times[0], times[1], times[2], times.back()};
  for (size_t i = 0; i < timed.size(); ++i) {
    EXPECT_LT(timed[i].first, timed[i].second);
    EXPECT_LT(timed[i].second - timed[i].first, 60'000'000'000u);
    if (i) EXPECT_LE(timed[i - 1].second, timed[i].first);
  }
  ASSERT_OK_AND(auto three, test::run(gpu_->read_timestamps(3)));
  EXPECT_EQ(three, (std::vector{times[0], times[1], times[2]}));
  EXPECT_OK(test::run(gpu_->read_timestamps(0)));
  EXPECT_ERROR(Code::invalid_argument, test::run(gpu_->read_timestamps(kMaxTimedPasses + 1)));
  commands.clear();
  commands.timed_pass(kMaxTimedPasses);
  EXPECT_ERROR(Code::invalid_argument, gpu_->submit(commands));
}

TEST_F(GpuTest, features_that_are_reported_compile) {
  std::string head = "@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n";
  std::string main = "@compute @workgroup_size(64) fn main() { ";
  auto compiles = [&](const std::string& wgsl) {
    auto made = test::run(gpu_->create_pipeline({"feature", wgsl}));
    return made.has_value();
  };
  EXPECT_EQ(compiles("enable f16;\n" + head + main + "x[0] = f32(f16(x[1])); }"), gpu_->info().f16);
  EXPECT_EQ(compiles("enable subgroups;\n" + head + main + "x[0] = subgroupAdd(x[1]); }"), gpu_->info().subgroups);
  EXPECT_EQ(compiles("requires packed_4x8_integer_dot_product;\n" + head + main +
                     "x[0] = f32(dot4I8Packed(bitcast<u32>(x[1]), bitcast<u32>(x[2]))); }"),
            gpu_->info().packed_dot);
  for (const GpuInfo::MatrixShape& s : gpu_->info().matrices) {
    auto sized = [](std::string side, std::string type, uint32_t a, uint32_t b) {
      return "subgroup_matrix_" + side + "<" + type + ", " + std::to_string(a) + ", " + std::to_string(b) + ">";
    };
    std::string sum = s.f32_sum ? "f32" : "f16", result = sized("result", sum, s.n, s.m);
    EXPECT_TRUE(compiles(
        "enable f16;\nenable subgroups;\nenable chromium_experimental_subgroup_matrix;\n"
        "@group(0) @binding(0) var<storage, read_write> x: array<" +
        sum + ">;\n@compute @workgroup_size(" + std::to_string(gpu_->info().subgroup_max) + ") fn main() {\n  var a: " +
        sized("left", "f16", s.k, s.m) + ";\n  var b: " + sized("right", "f16", s.n, s.k) + ";\n  var c: " + result +
        ";\n  c = subgroupMatrixMultiplyAccumulate(a, b, c);\n"
        "  subgroupMatrixStore(&x, 0, c, false, " +
        std::to_string(s.n) + ");\n}"));
  }
}

TEST_F(GpuTest, a_lost_device_says_so_from_every_call) {
  GpuBuffer x = buffer(4096);
  GpuPipeline twice = pipeline("twice", kTwice);
  GpuBindGroup g = group(twice, {{{x, 0, 4096}}});
  GpuCommands commands;
  commands.timed_pass(0);
  commands.dispatch(twice, g, 16, 1, 1);
  ASSERT_OK(gpu_->submit(commands));
  ASSERT_OK_AND(GpuTicket ticket, gpu_->begin_read(x, 0, 4096));
  std::vector<std::byte> bytes(4096);
  gpu_->lose();
  for (int again = 0; again < 2; ++again) {
    EXPECT_ERROR(Code::device_lost, gpu_->health());
    EXPECT_ERROR(Code::device_lost, gpu_->submit(commands));
    EXPECT_ERROR(Code::device_lost, gpu_->write(x, 0, bytes));
    EXPECT_ERROR(Code::device_lost, gpu_->begin_read(x, 0, 4));
    EXPECT_ERROR(Code::device_lost, test::run(gpu_->read(x, 0, bytes)));
    EXPECT_ERROR(Code::device_lost, test::run(gpu_->finish()));
    EXPECT_ERROR(Code::device_lost, test::run(gpu_->create_buffer(16, "y")));
    EXPECT_ERROR(Code::device_lost, test::run(gpu_->create_pipeline({"twice", kTwice})));
    EXPECT_ERROR(Code::device_lost, gpu_->create_bind_group(twice, {{{x, 0, 4096}}}));
    EXPECT_ERROR(Code::device_lost, test::run(gpu_->read_timestamps(1)));
  }
  EXPECT_ERROR(Code::device_lost, test::run(gpu_->end_read(ticket, bytes)));
  gpu_->destroy(g);
  gpu_->destroy(x);
  gpu_->lose();
  EXPECT_EQ(gpu_->bytes_in_use() % 4096, 0);

  ASSERT_OK_AND(auto fresh, test::run(open_gpu(host_, {.robust = true})));
  gpu_ = std::move(fresh);
  x = buffer(16);
  write(x, numbers(4, 9));
  EXPECT_EQ(read(x, 4), numbers(4, 9));
}

TEST_F(GpuTest, two_at_once_and_without_checks) {
  ASSERT_OK_AND(auto other, test::run(open_gpu(host_, {.robust = false, .skip_validation = true})));
  GpuBuffer mine = buffer(16);
  write(mine, numbers(4, 1));
  std::swap(gpu_, other);
  GpuBuffer x = buffer(256);
  write(x, numbers(64, 3));
  GpuPipeline twice = pipeline("twice", kTwice);
  GpuCommands commands;
  commands.dispatch(twice, group(twice, {{{x, 0, 256}}}), 1, 1, 1);
  ASSERT_OK(gpu_->submit(commands));
  EXPECT_EQ(read(x, 2), (std::vector<uint32_t>{6, 8}));
  std::swap(gpu_, other);
  other.reset();
  EXPECT_EQ(read(mine, 4), numbers(4, 1));
}

TEST_F(GpuTest, profile_minimum_grants_the_defaults_and_no_more) {
  ASSERT_OK_AND(gpu_, test::run(open_gpu(host_, {.profile = GpuProfile::minimum, .robust = true})));
  const GpuInfo& info = gpu_->info();
  EXPECT_EQ(info.max_buffer_bytes, int64_t{256} << 20);
  EXPECT_EQ(info.max_binding_bytes, int64_t{128} << 20);
  EXPECT_EQ(info.max_workgroup_bytes, 16384u);
  EXPECT_EQ(info.max_workgroup_invocations, 256u);
  EXPECT_EQ(info.max_storage_buffers, 8u);
  EXPECT_EQ(info.offset_alignment, 256u);
  EXPECT_FALSE(info.f16 || info.subgroups || info.subgroup_matrix || info.packed_dot || info.timestamps);
  for (const char* wgsl :
       {"enable f16;\n@compute @workgroup_size(1) fn main() {}", "@compute @workgroup_size(257) fn main() {}",
        "enable subgroups;\n@compute @workgroup_size(1) fn main() {}",
        "var<workgroup> w: array<vec4f, 1025>;\n@compute @workgroup_size(1) fn main() { w[0].x = 1; }"})
    EXPECT_ERROR(Code::bad_shader, test::run(gpu_->create_pipeline({"beyond", wgsl})));
  EXPECT_ERROR(Code::unsupported, test::run(gpu_->read_timestamps(1)));
  GpuBuffer x = buffer(64);
  GpuPipeline twice = pipeline("twice", kTwice);
  GpuCommands commands;
  commands.timed_pass(0);  // ignored
  commands.dispatch(twice, group(twice, {{{x, 0, 64}}}), 1, 1, 1);
  EXPECT_OK(gpu_->submit(commands));
}

TEST_F(GpuTest, every_profile_opens) {
  for (GpuProfile profile : {GpuProfile::chrome, GpuProfile::safari}) {
    ASSERT_OK_AND(gpu_, test::run(open_gpu(host_, {.profile = profile, .robust = true})));
    EXPECT_FALSE(gpu_->info().subgroup_matrix);
    pipeline("twice", kTwice);
  }
}

#ifndef __wasm__  // in a browser: tests/browser
TEST(GpuWithoutDriver, is_no_device) {
  const char* before = std::getenv("VK_DRIVER_FILES");
  std::string kept = before ? before : "";
  setenv("VK_DRIVER_FILES", "/dev/null", 1);
  test::TestHost host;
  auto made = test::run(open_gpu(host, {}));
  auto listed = test::run(gpu_adapters(host));
  before ? setenv("VK_DRIVER_FILES", kept.c_str(), 1) : unsetenv("VK_DRIVER_FILES");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::no_device);
  EXPECT_NE(made.error().message().find("--device cpu"), std::string::npos) << made.error().message();
  EXPECT_ERROR(Code::no_device, listed);
}
#endif

}  // namespace
}  // namespace weft
