// The layout `rows16` of Q8_0 and Q4_0 matrices [N, K] with N % 16 == 0 and K % 32 == 0. Groups of 16 rows; in a group,
// blocks of 32 columns; in a block:
//
//   q8_0 (544 bytes): f16 scale[16]; u8 q[8][16][4]: q[j][r][i] = row r, column 4 j + i, plus 128
//   q4_0 (288 bytes): f16 scale[16]; u8 q[4][16][4]: low nibble row r, column 4 j + i; high nibble column 16 + 4 j + i
//
// so that one 64-byte vector meets four consecutive columns of 16 rows: a dot-product instruction (4 bytes into one
// i32 lane) adds to 16 rows at once, with four activations broadcast to all lanes, and no sum across lanes is needed.
//
// In WebAssembly, where the kernels are those of linear_rows16.simd128.cc, scales are f32 (576 and 320 bytes: there is
// no instruction for halves, and software for 16 of them costs as much as 8 columns), and bit 7 of q is flipped where
// the kernel wants it: the second and fourth byte of four are signed; so is the highest nibble of each two bytes.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft::rows16 {

inline constexpr int kRows = 16;
inline constexpr int kColumns = 32;
#ifdef __wasm__
using Scale = float;
inline constexpr uint32_t kFlipQ8 = 0x00800080, kFlipQ4 = 0x80008000;  // of the file's four bytes
#else
using Scale = uint16_t;  // f16
inline constexpr uint32_t kFlipQ8 = 0x80808080, kFlipQ4 = 0;
#endif
inline constexpr int kScaleBytes = sizeof(Scale) * kRows;
inline constexpr int kBlockQ8 = kScaleBytes + kRows * 32;
inline constexpr int kBlockQ4 = kScaleBytes + kRows * 16;
inline constexpr int block_bytes(DType dtype) { return dtype == DType::q8_0 ? kBlockQ8 : kBlockQ4; }
inline constexpr int64_t bytes(DType dtype, int64_t rows, int64_t k) {
  return rows / kRows * (k / kColumns) * block_bytes(dtype);
}

// Converts `rows` (a multiple of 16) rows of file blocks to whole groups.
void pack(DType dtype, int64_t k, int64_t rows, const uint8_t* in, uint8_t* out);
// Row `row` as floats.
void unpack_row(DType dtype, int64_t k, const uint8_t* weight, int64_t row, float* out);

}  // namespace weft::rows16
