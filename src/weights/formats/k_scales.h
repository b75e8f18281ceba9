// Twelve bytes that hold eight 6-bit scales and eight 6-bit minima (q4_k, q5_k). Of the first four, bytes 0-3 have the
// scale and bytes 4-7 the minimum in their low six bits; of the last four, bytes 8-11 have the low four bits of the
// scale (low half) and of the minimum (high half), and the two top bits of bytes 0-3 and 4-7 have the rest.
#pragma once

#include <cstdint>

namespace weft::formats {

struct ScaleMin {
  int scale, minimum;
};

inline ScaleMin unpack_scale_min(const uint8_t* b, int j) {
  if (j < 4) return {b[j] & 63, b[j + 4] & 63};
  return {(b[j + 4] & 15) | (b[j - 4] >> 6) << 4, b[j + 4] >> 4 | (b[j] >> 6) << 4};
}

// `b` is zeroed by the caller.
inline void pack_scale_min(uint8_t* b, int j, ScaleMin value) {
  if (j < 4) {
    b[j] = static_cast<uint8_t>(b[j] | value.scale);
    b[j + 4] = static_cast<uint8_t>(b[j + 4] | value.minimum);
    return;
  }
  b[j + 4] = static_cast<uint8_t>((value.scale & 15) | (value.minimum & 15) << 4);
  b[j - 4] = static_cast<uint8_t>(b[j - 4] | (value.scale >> 4) << 6);
  b[j] = static_cast<uint8_t>(b[j] | (value.minimum >> 4) << 6);
}

}  // namespace weft::formats
