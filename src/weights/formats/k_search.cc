#include "weights/formats/k_search.h"

#include <algorithm>
#include <limits>

#include "weights/formats/block.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {

constexpr int kMaxGroup = 32;

float round_to_f16(float value) { return f16_to_f32(f32_to_f16(value)); }

// Squared error of x ~ scale * q, q in [-offset, offset - 1]. The codes go to `code` (offset added).
float symmetric_error(const float* x, int n, int offset, float scale, uint8_t* code) {
  const float inverse_scale = inverse(scale);
  float error = 0;
  for (int i = 0; i < n; ++i) {
    const int q = round_even(x[i] * inverse_scale, -offset, offset - 1);
    const float rest = x[i] - scale * static_cast<float>(q);
    error += rest * rest;
    code[i] = static_cast<uint8_t>(q + offset);
  }
  return error;
}

// The best scale found for one group, of either sign.
float fit_symmetric(const float* x, int n, int offset) {
  const float extreme = extreme_of(x, n);
  if (!(std::abs(extreme) > std::numeric_limits<float>::min())) return 0;
  float best_gain = -1, best = 0;
  for (int step = -7; step <= 7; ++step) {
    const float inverse_scale = -(static_cast<float>(offset) + 0.1f * static_cast<float>(step)) / extreme;
    float xq = 0, qq = 0;
    for (int i = 0; i < n; ++i) {
      const auto q = static_cast<float>(round_even(x[i] * inverse_scale, -offset, offset - 1));
      xq += x[i] * q;
      qq += q * q;
    }
    // With the scale xq / qq the squared error is sum(x^2) - xq^2 / qq.
    if (qq > 0 && xq * xq / qq > best_gain) {
      best_gain = xq * xq / qq;
      best = xq / qq;
    }
  }
  return best;
}

struct Affine {
  float scale = 0, minimum = 0;  // x ~ scale * q - minimum, minimum >= 0
};

float affine_error(const float* x, int n, int most, Affine fit, uint8_t* code) {
  const float inverse_scale = inverse(fit.scale);
  float error = 0;
  for (int i = 0; i < n; ++i) {
    const int q = round_even((x[i] + fit.minimum) * inverse_scale, 0, most);
    const float rest = x[i] - (fit.scale * static_cast<float>(q) - fit.minimum);
    error += rest * rest;
    code[i] = static_cast<uint8_t>(q);
  }
  return error;
}

Affine fit_affine(const float* x, int n, int most) {
  const auto [least, largest] = std::minmax_element(x, x + n);
  const float low = std::min(*least, 0.0f), range = *largest - low;
  if (!(range > std::numeric_limits<float>::min())) return {0, -low};
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i];
  Affine best{range / static_cast<float>(most), -low};
  uint8_t code[kMaxGroup];
  float best_error = affine_error(x, n, most, best, code);
  for (int step = -6; step <= 9; ++step) {
    const float inverse_scale = (static_cast<float>(most) + 0.1f * static_cast<float>(step)) / range;
    float q1 = 0, q2 = 0, xq = 0;
    for (int i = 0; i < n; ++i) {
      const auto q = static_cast<float>(round_even((x[i] - low) * inverse_scale, 0, most));
      q1 += q;
      q2 += q * q;
      xq += q * x[i];
    }
    const auto count = static_cast<float>(n);
    const float determinant = count * q2 - q1 * q1;
    if (!(determinant > 0)) continue;
    Affine fit{(count * xq - sum * q1) / determinant, -(q2 * sum - q1 * xq) / determinant};
    if (fit.minimum < 0) fit = {xq / q2, 0};  // a minimum above 0 cannot be written
    if (!(fit.scale > 0)) continue;
    const float error = affine_error(x, n, most, fit, code);
    if (error < best_error) {
      best_error = error;
      best = fit;
    }
  }
  return best;
}

}  // namespace

SymmetricBlock search_symmetric(const float* values, int offset, int scale_low) {
  constexpr int kGroup = 16;
  SymmetricBlock block;
  block.code.fill(static_cast<uint8_t>(offset));
  std::array<float, 16> scales;
  for (int g = 0; g < 16; ++g) scales[g] = fit_symmetric(values + g * kGroup, kGroup, offset);
  block.d = round_to_f16(extreme_of(scales.data(), 16) / static_cast<float>(scale_low));
  if (block.d == 0) return block;
  for (int g = 0; g < 16; ++g) {
    const float* x = values + g * kGroup;
    const int centre = round_even(scales[g] / block.d, scale_low, -scale_low - 1);
    float best = std::numeric_limits<float>::infinity();
    for (int scale = std::max(centre - 1, scale_low); scale <= std::min(centre + 1, -scale_low - 1); ++scale) {
      uint8_t code[kGroup];
      const float error = symmetric_error(x, kGroup, offset, block.d * static_cast<float>(scale), code);
      if (error >= best) continue;
      best = error;
      block.scale[g] = scale;
      std::copy(code, code + kGroup, block.code.begin() + g * kGroup);
    }
  }
  return block;
}

AffineBlock search_affine(const float* values, int group, int most, int scale_most) {
  AffineBlock block;
  const int groups = kSuperBlock / group;
  std::array<Affine, 16> fits;
  float scale = 0, minimum = 0;
  for (int g = 0; g < groups; ++g) {
    fits[g] = fit_affine(values + g * group, group, most);
    scale = std::max(scale, fits[g].scale);
    minimum = std::max(minimum, fits[g].minimum);
  }
  block.d = round_to_f16(scale / static_cast<float>(scale_most));
  block.dmin = round_to_f16(minimum / static_cast<float>(scale_most));
  const float id = inverse(block.d), idmin = inverse(block.dmin);
  for (int g = 0; g < groups; ++g) {
    const float* x = values + g * group;
    const int s0 = round_even(fits[g].scale * id, 0, scale_most);
    const int m0 = round_even(fits[g].minimum * idmin, 0, scale_most);
    float best = std::numeric_limits<float>::infinity();
    for (int s = std::max(s0 - 1, 0); s <= std::min(s0 + 1, scale_most); ++s) {
      for (int m = std::max(m0 - 1, 0); m <= std::min(m0 + 1, scale_most); ++m) {
        uint8_t code[kMaxGroup];
        const Affine fit{block.d * static_cast<float>(s), block.dmin * static_cast<float>(m)};
        const float error = affine_error(x, group, most, fit, code);
        if (error >= best) continue;
        best = error;
        block.scale[g] = s;
        block.minimum[g] = m;
        std::copy(code, code + group, block.code.begin() + g * group);
      }
    }
  }
  return block;
}

}  // namespace weft::formats
