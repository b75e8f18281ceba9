// rms_norm: y[.., c] = x[.., c] / sqrt(mean over c of x^2 + eps) * weight[c]
// x [.., C] f32, weight [C] -> y as x. Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
// Models that multiply by 1 + w (Gemma) have the 1 added when their weights are read.
#include <cmath>

#include "ops/references.h"

namespace weft::ref {

void norm_row(const float* x, const float* weight, float eps, int64_t size, float* y) {
  double squares = 0;
  for (int64_t c = 0; c < size; ++c) squares += static_cast<double>(x[c]) * x[c];
  const double factor = 1 / std::sqrt(squares / static_cast<double>(size) + eps);
  for (int64_t c = 0; c < size; ++c) y[c] = static_cast<float>(x[c] * factor * weight[c]);
}

void rms_norm(const RefCall& call) {
  const HostTensor& x = *call.in[0];
  const int64_t width = x.shape.back();
  for (int64_t i = 0; i < x.elements(); i += width) {
    norm_row(x.f32.data() + i, call.in[1]->f32.data(), call.node.attrs.eps, width, call.out[0].f32.data() + i);
  }
}

}  // namespace weft::ref
