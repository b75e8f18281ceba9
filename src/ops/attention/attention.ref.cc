// attention: y[t, h, :] = sum over j of softmax_j(score[t, h, j]) * v[h', j, :], h' = h / (H / K)
//   score[t, h, j] = softcap(scale * q[t, h, :] . k[h', j, :]),  softcap(s) = cap * tanh(s / cap) if cap > 0, else s
// q [T, H, D] f32 -> y [T, H, D] f32. Keys and values:
//   states [N, K, S, D] (f32, f16, q8_0) with slots [T] and cells [T]: j runs over the cells of slot slots[t] with
//     cells[t] - window < j <= cells[t] (window 0: all j <= cells[t]);
//   plain f32 [E, K, D]: j runs over all E rows (encoders, cross attention).
// Vaswani et al. 2017; shared key heads: Ainslie et al. 2023 (GQA); window: Jiang et al. 2023 (Mistral 7B);
// soft cap: Gemma Team 2024 (Gemma 2).
#include <algorithm>
#include <cmath>

#include "ops/references.h"

namespace weft::ref {

void attention(const RefCall& call) {
  const HostTensor &q = *call.in[0], &keys = *call.in[1], &values = *call.in[2];
  const Attrs& a = call.node.attrs;
  const bool state = keys.shape.size() == 4;
  const int64_t heads = q.shape[1], size = q.shape[2], kv_heads = keys.shape[1];
  // Where row j of a head is: [N, K, S, D] is head-major, [E, K, D] row-major.
  auto row = [&](int64_t slot, int64_t k, int64_t j) {
    return (state ? (slot * kv_heads + k) * keys.shape[2] + j : j * kv_heads + k) * size;
  };
  std::vector<double> weight, sum(static_cast<size_t>(size));
  for (int64_t t = 0; t < q.shape[0]; ++t) {
    const int64_t slot = state ? call.in[3]->i32[t] : 0;
    const int64_t end = state ? call.in[4]->i32[t] + 1 : keys.shape[0];
    const int64_t begin = a.window > 0 ? std::max<int64_t>(0, end - a.window) : 0;
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t k = h / (heads / kv_heads);
      const float* query = q.f32.data() + (t * heads + h) * size;
      weight.clear();
      for (int64_t j = begin; j < end; ++j) {
        const float* key = keys.f32.data() + row(slot, k, j);
        double dot = 0;
        for (int64_t d = 0; d < size; ++d) dot += static_cast<double>(query[d]) * key[d];
        dot *= a.scale;
        weight.push_back(a.cap > 0 ? a.cap * std::tanh(dot / a.cap) : dot);
      }
      const double largest = weight.empty() ? 0 : *std::max_element(weight.begin(), weight.end());
      double total = 0;
      std::fill(sum.begin(), sum.end(), 0);
      for (int64_t j = begin; j < end; ++j) {
        const double w = std::exp(weight[j - begin] - largest);
        const float* value = values.f32.data() + row(slot, k, j);
        total += w;
        for (int64_t d = 0; d < size; ++d) sum[d] += w * value[d];
      }
      float* y = call.out[0].f32.data() + (t * heads + h) * size;
      for (int64_t d = 0; d < size; ++d) y[d] = total > 0 ? static_cast<float>(sum[d] / total) : 0.0f;
    }
  }
}

}  // namespace weft::ref
