// Choosing scales for the K formats. A super-block of 256 has groups of 16 or 32 elements, each with a scale (and a
// minimum) that is itself a small integer times one f16 for the whole super-block. Per group, a handful of scales
// around the largest value are tried, each followed by a least-squares fit; then, with the f16 fixed, the neighbours of
// each group's integers. Against taking largest and smallest value this lowers the squared error by what
// tests/unit/weights prints. The method is our own; the layouts are the published ones.
#pragma once

#include <array>
#include <cstdint>

namespace weft::formats {

inline constexpr int kSuperBlock = 256;

// value = d * scale[g] * (code - offset)
struct SymmetricBlock {
  float d = 0;                     // rounded to f16
  std::array<int, 16> scale = {};  // of 16 groups of 16
  std::array<uint8_t, kSuperBlock> code = {};
};
// Codes 0 … 2 * offset - 1, scales scale_low … -scale_low - 1.
SymmetricBlock search_symmetric(const float* values, int offset, int scale_low);

// value = d * scale[g] * code - dmin * minimum[g]
struct AffineBlock {
  float d = 0, dmin = 0;
  std::array<int, 16> scale = {}, minimum = {};
  std::array<uint8_t, kSuperBlock> code = {};
};
// Groups of `group` elements; codes 0 … most, scales and minima 0 … scale_most.
AffineBlock search_affine(const float* values, int group, int most, int scale_most);

}  // namespace weft::formats
