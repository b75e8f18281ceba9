// The layout `planes` of block-quantised matrices [N, K] on WebGPU: the parts of all rows apart, so that shaders read
// whole words (the blocks of files are 18, 22, 34, 84 … bytes) and neighbouring lanes neighbouring 16 bytes. Four
// planes, each one row after the other; per block of 32 columns:
//
//   low    q8_0: 32 bytes, signed, in order.
//          q4_*, q5_*, q6_k: 16 bytes; byte i has the low 4 bits of value i (low nibble) and of value 16 + i (high).
//          q2_k, q3_k: 8 bytes; bits 2s, 2s + 1 of byte 4j + i have the low 2 bits of value 8s + 4j + i.
//   high   q6_k: 2 bits a value, as q2_k's low plane.
//          q5_*, q3_k: 1 bit a value: one word, value 4g + i at bit 8i + g.
//   scale  q8_0, q4_0, q5_0: f16 d. q4_1, q5_1: f16 d, f16 m. K formats: f16 d, f16 dmin (0 for q3_k, q6_k) per 256.
//   sub    K formats: 2 bytes. q4_k, q5_k: u8 scale, u8 min. q2_k: scale + 16 min of each half of 16 values.
//          q3_k, q6_k: i8 scale of each half (q3_k: 32 already subtracted).
//
// Rows of `low` are multiples of 16 bytes, all others of 4; planes begin at multiples of 256. Float weights stay
// row_major. src/ops/linear/blocks.wgsl is the only shader text that knows this. A lowering uses both like this:
//
//   Constants c;
//   format_constants(c, weight.dtype, k);                         // kFormat, kColumns
//   matrix_constants(c, "kMatrix", weight.dtype, n, k, 0);        // const kMatrix = Matrix(low, high, scale, sub);
//   // … bind the weight (or all_weights(), with grouped_offsets(call)[i] in place of 0) as binding 1
//
// and the kernel, beginning with `// uses: blocks`, reads `load_block(kMatrix, row, b)` (block formats) or
// `load_float8(kMatrix, row, g)` (f32, f16, bf16) or, whatever the type, `load_values16(kMatrix, row, h)`.
// A binding of a float matrix is rounded up to 16 bytes, because shaders see an array of vec4<u32>.
#pragma once

#include "ops/gpu_kernel.h"

namespace weft {

struct Plane {
  int64_t offset = 0;     // from the beginning of the weight
  int64_t row_bytes = 0;  // 0: the format has no such plane
};
struct Planes {
  Plane low, high, scale, sub;
  int64_t bytes = 0;  // of all, a multiple of 16
};

// Of a block dtype; k is a multiple of its block.
Planes planes_of(DType dtype, int64_t n, int64_t k);

// Converts `rows` rows of the file's blocks, any number at a time; `out` points to the first of these rows in each
// plane (ignored where the format has none).
struct PlanePointers {
  uint8_t *low, *high, *scale, *sub;
};
void pack_planes(DType dtype, int64_t k, int64_t rows, const uint8_t* in, PlanePointers out);
// Where row `row` of a weight at `weight` lies.
PlanePointers plane_rows(const Planes& planes, uint8_t* weight, int64_t row);
// Row `row` as floats, the same bits as from the file's blocks.
void unpack_planes_row(DType dtype, int64_t n, int64_t k, const uint8_t* weight, int64_t row, float* out);

// A matrix [n, k] that is larger than `most` bytes, what a binding may have, lies in parts, each like a matrix of its
// own: the rows of a part (a multiple of 16; the last part may have fewer). n where it fits whole, 0 where nothing
// fits.
int64_t rows_of_part(DType dtype, int64_t n, int64_t k, WeightLayout layout, int64_t most);
// The same of operand 1 of a call.
int64_t rows_of_part(const OpCall& call, const Caps& caps);

// `const kFormat`, `const kColumns`: what blocks.wgsl asks of a kernel. Any weight type.
void format_constants(Constants& constants, DType dtype, int64_t k);
// `const NAME = Matrix(…);` of a weight that begins `byte_offset` (a multiple of 16) into binding 1. Any weight type.
void matrix_constants(Constants& constants, std::string_view name, DType dtype, int64_t n, int64_t k,
                      int64_t byte_offset);

}  // namespace weft
