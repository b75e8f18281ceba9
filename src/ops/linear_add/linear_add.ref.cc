// linear_add: y = linear(x, weight, bias) + residual, added before the sum is rounded to f32
// x [T, K] f32 or i8_32, weight [N, K], bias [N] or none, residual [T, N] f32 -> y [T, N] f32
#include "ops/references.h"

namespace weft::ref {

void linear_add(const RefCall& call) { matmul(factor(call), *call.in[1], call.in[2], call.in[3], call.out[0]); }

}  // namespace weft::ref
