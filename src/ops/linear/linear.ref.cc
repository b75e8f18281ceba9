// linear: y[t, n] = sum over k of x[t, k] * weight[n, k] + bias[n]; attrs.quantized: x rounded by quantize_rows first
// x [T, K] f32 or i8_32, weight [N, K] of any weight type (PyTorch's order: out, in), bias [N] or none -> y [T, N] f32
#include "ops/references.h"

namespace weft::ref {

void matmul(const HostTensor& x, const HostTensor& weight, const HostTensor* bias, const HostTensor* residual,
            HostTensor& y) {
  const int64_t rows = x.shape[0], width = x.shape[1], outputs = weight.shape[0];
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t n = 0; n < outputs; ++n) {
      const float *a = x.f32.data() + t * width, *b = weight.f32.data() + n * width;
      double sum = 0;
      for (int64_t k = 0; k < width; ++k) sum += static_cast<double>(a[k]) * b[k];
      if (bias) sum += bias->f32[n];
      if (residual) sum += residual->f32[t * outputs + n];
      y.f32[t * outputs + n] = static_cast<float>(sum);
    }
  }
}

HostTensor factor(const RefCall& call) {
  HostTensor x = *call.in[0];
  if (!call.node.attrs.quantized) return x;
  HostTensor rounded = x;
  const HostTensor* const in[] = {&x};
  quantize_rows({call.graph, call.node, in, {&rounded, 1}});
  return rounded;
}

void linear(const RefCall& call) { matmul(factor(call), *call.in[1], call.in[2], nullptr, call.out[0]); }

}  // namespace weft::ref
