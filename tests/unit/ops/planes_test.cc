#include "ops/linear/planes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "case_runner.h"

namespace weft::test {
namespace {

constexpr DType kBlocks[] = {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0,
                             DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};

Caps webgpu() {
  Caps caps;
  caps.kind = Caps::Kind::webgpu;
  return caps;
}

// Blocks of random bytes, scales included: every code and every 6-bit scale occurs. Compared bit by bit, NaN as NaN.
TEST(Planes, UnpackToTheFormatsValues) {
  std::mt19937 random(1);
  for (DType dtype : kBlocks) {
    for (int64_t k : {int64_t{info(dtype).block}, int64_t{info(dtype).block} * 3}) {
      constexpr int64_t kRows = 21;
      const std::vector<int64_t> shape{kRows, k};
      ASSERT_EQ(layout_for(dtype, shape, webgpu()), WeightLayout::planes);
      const int64_t row = row_bytes(dtype, k);
      std::vector<std::byte> bytes(static_cast<size_t>(kRows * row));
      for (std::byte& b : bytes) b = static_cast<std::byte>(random());
      const auto want = decode(dtype, bytes.data(), kRows * k, k);
      Guarded packed(layout_bytes(dtype, shape, WeightLayout::planes), 0xA5);
      // In pieces, out of order.
      for (auto [first, count] : {std::pair<int64_t, int64_t>{5, 1}, {6, 15}, {0, 5}})
        pack_rows(dtype, shape, WeightLayout::planes, first, count, bytes.data() + first * row, packed.data());
      EXPECT_TRUE(packed.intact()) << name(dtype);
      std::vector<float> got(static_cast<size_t>(k));
      for (int64_t r = 0; r < kRows; ++r) {
        unpack_row(dtype, shape, WeightLayout::planes, packed.data(), r, got.data());
        for (int64_t c = 0; c < k; ++c) {
          const float a = got[c], b = want[r * k + c];
          ASSERT_TRUE(std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b)))
              << name(dtype) << " [" << r << ", " << c << "]: " << a << ", expected " << b;
        }
      }
    }
  }
}

TEST(Planes, AlignmentAndSize) {
  for (DType dtype : kBlocks) {
    for (int64_t k : {256, 768}) {
      const Planes planes = planes_of(dtype, 7, k);
      EXPECT_EQ(planes.low.row_bytes % 16, 0) << name(dtype);
      int64_t sum = 0;
      for (const Plane& plane : {planes.low, planes.high, planes.scale, planes.sub}) {
        EXPECT_EQ(plane.offset % kGpuAlignment, 0) << name(dtype);
        EXPECT_EQ(plane.row_bytes % 4, 0) << name(dtype);
        EXPECT_LE(plane.offset + 7 * plane.row_bytes, planes.bytes);
        sum += plane.row_bytes;
      }
      // q3_k and q6_k give their packed scales and the missing dmin a few bytes more than the file does.
      EXPECT_LE(sum, row_bytes(dtype, k) + k / 256 * 6 + 2) << name(dtype);
    }
  }
}

TEST(Planes, FloatsStayAsTheyAre) {
  const std::vector<int64_t> shape{3, 5};
  for (DType dtype : {DType::f32, DType::f16, DType::bf16})
    EXPECT_EQ(layout_for(dtype, shape, webgpu()), WeightLayout::row_major);
}

TEST(Planes, ConstantsOfAMatrix) {
  Constants c;
  format_constants(c, DType::q4_k, 512);
  matrix_constants(c, "kMatrix", DType::q4_k, 3, 512, 1024);
  // low 3 * 256 bytes; scale 3 * 8; sub 3 * 32. Planes begin at multiples of 256 bytes, 64 words.
  EXPECT_EQ(c.text(),
            "const kFormat = 14u;\nconst kColumns = 512u;\nconst kMatrix = Matrix(256u, 256u, 448u, 512u);\n");
}

}  // namespace
}  // namespace weft::test
