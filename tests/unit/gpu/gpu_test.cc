#include "gpu/gpu.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/support.h"

namespace weft {
namespace {

TEST(Gpu, round_trip) {
  test::TestHost host;
  ASSERT_OK_AND(auto gpu, test::run(make_dawn_gpu(host, {})));
  ASSERT_OK_AND(GpuBuffer x, test::run(gpu->create_buffer(4096, "x")));
  std::vector<uint32_t> in(1024), out(1024);
  std::iota(in.begin(), in.end(), 7);
  ASSERT_OK(gpu->write(x, 0, std::as_bytes(std::span(in))));
  ASSERT_OK_AND(GpuPipeline p, test::run(gpu->create_pipeline({"twice", R"(
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { x[id.x] *= 2; }
)"})));
  ASSERT_OK_AND(GpuBindGroup group, gpu->create_bind_group(p, {{{x, 0, 4096}}}));
  GpuCommands commands;
  commands.dispatch(p, group, 16, 1, 1);
  ASSERT_OK(gpu->submit(commands));
  ASSERT_OK(test::run(gpu->read(x, 0, std::as_writable_bytes(std::span(out)))));
  for (size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], 2 * in[i]) << i;
}

}  // namespace
}  // namespace weft
