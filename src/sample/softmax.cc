#include "sample/softmax.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

// Processors with fused multiply-add would otherwise round differently.
#pragma STDC FP_CONTRACT OFF

namespace weft {
namespace {

constexpr size_t kLanes = 16;

// Cody-Waite reduction to |r| <= ln(2)/2, Taylor polynomial of degree 7 (error below 2^-26), scaled by the exponent.
inline float exp_lane(float x) {
  const bool in_range = x >= -87.0f;  // false for NaN; e^-87 is the last before subnormal numbers
  const float safe = in_range ? x : 0.0f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer kept in the low bits
  const float shifted = safe * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (safe - n * 0.693359375f) - n * -2.12194440e-4f;
  float y = 1.0f / 5040;
  y = y * r + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  const float result = y * std::bit_cast<float>((exponent + 127) << 23);
  return in_range ? result : 0.0f;
}

}  // namespace

float exp_negative(float x) { return exp_lane(x); }

float max_of(std::span<const float> values) {
  std::array<float, kLanes> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    for (size_t k = 0; k < kLanes; ++k) lanes[k] = values[i + k] > lanes[k] ? values[i + k] : lanes[k];
  float top = -std::numeric_limits<float>::infinity();
  for (float lane : lanes) top = std::max(top, lane);
  for (; i < values.size(); ++i) top = values[i] > top ? values[i] : top;
  return top;
}

size_t find_first(std::span<const float> values, float value) {
  constexpr size_t kBlock = 64;  // a block is tested as a whole first, which vectorises
  size_t i = 0;
  for (; i + kBlock <= values.size(); i += kBlock) {
    int hits = 0;
    for (size_t k = 0; k < kBlock; ++k) hits |= values[i + k] == value;
    if (hits) break;
  }
  while (i < values.size() && values[i] != value) ++i;
  return i;
}

double exp_into(std::span<const float> values, float top, float scale, std::span<float> out) {
  constexpr size_t kBlock = 256;  // loops that do one thing each: compilers vectorise the first as it stands
  std::array<float, kBlock> block;
  std::array<double, kLanes> sums{};
  double tail = 0;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, values.size() - begin);
    const float* in = values.data() + begin;
    float* e = out.empty() ? block.data() : out.data() + begin;
    for (size_t i = 0; i < count; ++i) e[i] = exp_lane((in[i] - top) * scale);
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (size_t k = 0; k < kLanes; ++k) sums[k] += e[i + k];
    for (; i < count; ++i) tail += e[i];
  }
  for (double lane : sums) tail += lane;
  return tail;
}

}  // namespace weft
