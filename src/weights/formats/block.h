// Shared by the number formats: loads and stores in blocks that have no alignment, and rounding that bad input cannot
// turn into undefined behaviour. Contraction to fused multiply-add is off in the encoders, because it would change
// which of two neighbouring codes is chosen from machine to machine.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/half.h"
#include "weights/formats/formats_list.h"

namespace weft::formats {

inline uint16_t load_u16(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline void store_u16(std::byte* at, uint16_t value) { std::memcpy(at, &value, sizeof value); }
inline float load_f16(const std::byte* at) { return f16_to_f32(load_u16(at)); }
// Returns the value as it will be read back.
inline float store_f16(std::byte* at, float value) {
  const uint16_t half = f32_to_f16(value);
  store_u16(at, half);
  return f16_to_f32(half);
}
inline const uint8_t* bytes_of(const std::byte* at) { return reinterpret_cast<const uint8_t*>(at); }
inline uint8_t* bytes_of(std::byte* at) { return reinterpret_cast<uint8_t*>(at); }

// Limits first, so that the conversion is defined for every float; NaN becomes `low`.
inline float clamp(float value, float low, float high) {
  value = value > low ? value : low;
  return value < high ? value : high;
}
inline int truncate(float value, int low, int high) {
  return static_cast<int>(clamp(value, static_cast<float>(low), static_cast<float>(high)));
}
// To nearest, halves to even: adding 1.5 * 2^23 leaves the integer in the lowest bits. Vectorises without SSE 4.
inline int round_even(float value, int low, int high) {
  constexpr float kMagic = 12582912.0f;
  return static_cast<int>((clamp(value, static_cast<float>(low), static_cast<float>(high)) + kMagic) - kMagic);
}
// The first value of the largest magnitude. By index: clang 19 at -O3 compiles the loop that carries the value itself
// wrongly where it is unrolled (it then picked a smaller one in some K-quant groups).
inline float extreme_of(const float* values, int n) {
  int at = 0;
  for (int i = 1; i < n; ++i) at = std::abs(values[i]) > std::abs(values[at]) ? i : at;
  return values[at];
}
inline float inverse(float scale) { return scale != 0 ? 1.0f / scale : 0.0f; }

}  // namespace weft::formats
