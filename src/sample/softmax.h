// Passes over all logits, written as independent lanes so that compilers vectorise them, in an order of operations that
// is the same everywhere: no libm, no fused multiply-add, no reassociation. Sampling depends on these to the last bit.
//
//   const float top = max_of(logits);                        // NaN is ignored; -inf if there is nothing else
//   const double z = exp_into(logits, top, 1 / temperature, weights);
#pragma once

#include <span>

namespace weft {

float max_of(std::span<const float> values);
// The first position of `value`, or values.size().
size_t find_first(std::span<const float> values, float value);

// e^x for x <= 0 within 2 ulp; 0 below -87 and for NaN.
float exp_negative(float x);
// out[i] = e^((values[i] - top) * scale), where values[i] <= top. Returns their sum. `out` may be empty: only the sum.
double exp_into(std::span<const float> values, float top, float scale, std::span<float> out);

}  // namespace weft
