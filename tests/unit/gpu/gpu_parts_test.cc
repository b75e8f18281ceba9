// The parts of src/gpu that need no GPU.
#include <gtest/gtest.h>

#include "gpu/profiles.h"
#include "gpu/slots.h"
#include "gpu/wgsl_bindings.h"

namespace weft {
namespace {

using B = WgslBinding;

TEST(WgslBindings, finds_declarations) {
  EXPECT_EQ(wgsl_bindings(R"(
enable f16;
// @group(0) @binding(9) var<storage, read> commented: array<f32>;
/* @group(0) @binding(8) /* nested */ var<storage, read> also: array<f32>; */
const n = 4 / 2;
@group(0) @binding(10) var<storage, read_write> out: array<vec4<f32>>;
@binding(1)@group(0)var<storage,read>a:array<u32>;
@group(0) /* here */ @binding( 2 )
  var < uniform > params : Params;
@group(0) @binding(3) var<storage> b: array<u32>;
@group(1) @binding(4) var<storage, read> other: array<u32>;
@group(0) @binding(5) var texture: texture_2d<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { out[0].x = f32(a[0]); }
)"),
            (std::vector<B>{{1, B::read_only}, {2, B::uniform}, {3, B::read_only}, {10, B::storage}}));
}

TEST(WgslBindings, survives_broken_texts) {
  for (const char* text :
       {"", "@", "@group", "@group(", "@group(0", "@group(0)", "@group(0) @binding(", "/*", "/* /* */", "//",
        "@group(0) @binding(1) var<", "@group(0) @binding(99999) var<storage> x: u32;",
        "@group(0) @binding(x) var<storage> x: u32;", "@group(0) @binding(1) var<storage, w> x: u32;",
        "@group(0) @binding(1) var<private> x: u32;"})
    EXPECT_TRUE(wgsl_bindings(text).empty()) << text;
}

TEST(Slots, numbers_of_removed_things_are_not_found) {
  Slots<int> slots;
  EXPECT_EQ(slots.find(0), nullptr);
  EXPECT_EQ(slots.find(1), nullptr);
  uint32_t a = slots.add(10), b = slots.add(20);
  EXPECT_NE(a, 0u);
  EXPECT_EQ(*slots.find(a), 10);
  slots.remove(a);
  slots.remove(a);
  EXPECT_EQ(slots.find(a), nullptr);
  uint32_t c = slots.add(30);
  EXPECT_NE(c, a);
  EXPECT_EQ(slots.find(a), nullptr);
  EXPECT_EQ(*slots.find(b), 20);
  EXPECT_EQ(*slots.find(c), 30);
  for (int i = 0; i < 10000; ++i) {
    slots.remove(c);
    c = slots.add(i);
    ASSERT_EQ(*slots.find(c), i);
  }
  EXPECT_EQ(slots.find(0xffffffff), nullptr);
}

TEST(Profiles, a_large_nvidia_gpu) {
  GpuInfo h200;
  h200.vendor = "nvidia";
  h200.backend = "vulkan";
  h200.f16 = h200.subgroups = h200.subgroup_matrix = h200.packed_dot = h200.immediates = h200.timestamps = true;
  h200.subgroup_min = h200.subgroup_max = 32;
  h200.matrices = {{16, 16, 16, true}};
  h200.max_buffer_bytes = int64_t{1} << 40;
  h200.max_binding_bytes = (int64_t{4} << 30) - 4;
  h200.max_storage_buffers = 1000;
  h200.max_workgroup_bytes = 49152;
  h200.max_workgroup_invocations = 1024;
  h200.max_workgroups = 65535;
  h200.offset_alignment = 32;

  GpuInfo chrome = apply_profile(GpuProfile::chrome, h200);
  EXPECT_FALSE(chrome.f16);
  EXPECT_TRUE(chrome.subgroups && chrome.packed_dot && chrome.timestamps);
  EXPECT_TRUE(chrome.matrices.empty());
  EXPECT_EQ(chrome.max_buffer_bytes, int64_t{4} << 30);
  EXPECT_EQ(chrome.max_binding_bytes, (int64_t{2} << 30) - 4);
  EXPECT_EQ(chrome.max_storage_buffers, 10u);
  EXPECT_EQ(chrome.max_workgroup_bytes, 32768u);
  EXPECT_EQ(chrome.offset_alignment, 256u);
  h200.vendor = "amd";
  EXPECT_TRUE(apply_profile(GpuProfile::chrome, h200).f16);

  GpuInfo safari = apply_profile(GpuProfile::safari, h200);
  EXPECT_TRUE(safari.f16 && safari.subgroups);
  EXPECT_FALSE(safari.packed_dot || safari.subgroup_matrix);
  EXPECT_EQ(safari.max_binding_bytes, int64_t{1} << 30);

  GpuInfo minimum = apply_profile(GpuProfile::minimum, h200);
  EXPECT_FALSE(minimum.f16 || minimum.subgroups || minimum.packed_dot);
  EXPECT_EQ(minimum.subgroup_max, 0u);
  EXPECT_EQ(minimum.max_workgroup_invocations, 256u);
}

TEST(Profiles, between_two_tiers_is_the_lower) {
  GpuInfo small;
  small.max_buffer_bytes = int64_t{3} << 30;
  small.max_binding_bytes = int64_t{700} << 20;
  small.max_storage_buffers = 9;
  small.max_workgroup_bytes = 20000;
  small.max_workgroup_invocations = 512;
  small.max_workgroups = 65535;
  GpuInfo chrome = apply_profile(GpuProfile::chrome, small);
  EXPECT_EQ(chrome.max_buffer_bytes, int64_t{2} << 30);
  EXPECT_EQ(chrome.max_binding_bytes, int64_t{512} << 20);
  EXPECT_EQ(chrome.max_storage_buffers, 8u);
  EXPECT_EQ(chrome.max_workgroup_bytes, 16384u);
  EXPECT_EQ(chrome.max_workgroup_invocations, 256u);
}

}  // namespace
}  // namespace weft
