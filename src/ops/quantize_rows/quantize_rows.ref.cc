// quantize_rows: each block of 32 elements of a row becomes 32 x i8 with one f32 scale:
//   scale = absmax / 127;  q = x * (127 / absmax) rounded to nearest, ties to even (0 where absmax is 0)
// x [T, K] f32, K a multiple of 32 -> y [T, K] i8_32. The interpreter keeps the floats q * scale that y stands for.
#include <algorithm>
#include <cmath>

#include "ops/references.h"

namespace weft::ref {

void quantize_rows(const RefCall& call) {
  const std::vector<float>& x = call.in[0]->f32;
  for (size_t begin = 0; begin < x.size(); begin += 32) {
    float largest = 0;
    for (size_t i = begin; i < begin + 32; ++i) largest = std::max(largest, std::abs(x[i]));
    const float scale = largest / 127, inverse = largest > 0 ? 127 / largest : 0;
    for (size_t i = begin; i < begin + 32; ++i) call.out[0].f32[i] = std::nearbyint(x[i] * inverse) * scale;
  }
}

}  // namespace weft::ref
