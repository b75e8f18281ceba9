// The layout `rows16` of Q8_0 and Q4_0 matrices [N, K] with N % 16 == 0 and K % 32 == 0: as many bytes as the file's.
// Groups of 16 rows; in a group, blocks of 32 columns; in a block:
//
//   q8_0 (544 bytes): f16 scale[16]; u8 q[8][16][4]: q[j][r][i] = row r, column 4 j + i, plus 128
//   q4_0 (288 bytes): f16 scale[16]; u8 q[4][16][4]: low nibble row r, column 4 j + i; high nibble column 16 + 4 j + i
//
// so that one 64-byte vector meets four consecutive columns of 16 rows: a dot-product instruction (4 bytes into one
// i32 lane) adds to 16 rows at once, with four activations broadcast to all lanes, and no sum across lanes is needed.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft::rows16 {

inline constexpr int kRows = 16;
inline constexpr int kColumns = 32;
inline constexpr int kScaleBytes = 2 * kRows;
inline constexpr int kBlockQ8 = kScaleBytes + kRows * 32;  // 544
inline constexpr int kBlockQ4 = kScaleBytes + kRows * 16;  // 288
inline constexpr int block_bytes(DType dtype) { return dtype == DType::q8_0 ? kBlockQ8 : kBlockQ4; }

// Converts `rows` (a multiple of 16) rows of file blocks to whole groups.
void pack(DType dtype, int64_t k, int64_t rows, const uint8_t* in, uint8_t* out);
// Row `row` as floats.
void unpack_row(DType dtype, int64_t k, const uint8_t* weight, int64_t row, float* out);

}  // namespace weft::rows16
