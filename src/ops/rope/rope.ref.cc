// rope: rotates pairs (x[i], x[i + n]) of the first 2n elements of each head, n = size of inv_freq, by the angle
// position * inv_freq[i]; elements from 2n on are copied.
//   y[i]     = scale * (x[i] * cos - x[i + n] * sin)
//   y[i + n] = scale * (x[i + n] * cos + x[i] * sin)
// x [T, H, D] f32, positions [T, A] i32, inv_freq [n] f32 -> y as x. A = 3: the first sections[0] frequencies follow
// axis 0, the next sections[1] axis 1, the last sections[2] axis 2; sections all 0: every frequency follows axis 0.
// Su et al. 2021, "RoFormer", section 3.4; halves instead of neighbours as in GPT-NeoX and Hugging Face transformers.
// `scale` is YaRN's attention factor (Peng et al. 2023, section 3.4), 1 elsewhere.
#include <cmath>

#include "ops/references.h"

namespace weft::ref {

void rope(const RefCall& call) {
  const HostTensor &x = *call.in[0], &positions = *call.in[1], &inv_freq = *call.in[2];
  const auto& sections = call.node.attrs.sections;
  const int64_t heads = x.shape[1], size = x.shape[2], axes = positions.shape[1], n = inv_freq.shape[0];
  auto axis = [&](int64_t i) {
    if (axes == 1 || sections == std::array<int32_t, 3>{}) return 0;
    return i < sections[0] ? 0 : i < sections[0] + sections[1] ? 1 : 2;
  };
  call.out[0].f32 = x.f32;
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    for (int64_t i = 0; i < n; ++i) {
      const double angle = static_cast<double>(positions.i32[t * axes + axis(i)]) * inv_freq.f32[i];
      const double cos = std::cos(angle) * call.node.attrs.scale, sin = std::sin(angle) * call.node.attrs.scale;
      for (int64_t h = 0; h < heads; ++h) {
        const float* in = x.f32.data() + (t * heads + h) * size;
        float* out = call.out[0].f32.data() + (t * heads + h) * size;
        out[i] = static_cast<float>(in[i] * cos - in[i + n] * sin);
        out[i + n] = static_cast<float>(in[i + n] * cos + in[i] * sin);
      }
    }
  }
}

}  // namespace weft::ref
