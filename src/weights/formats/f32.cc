#include <cstring>

#include "weights/formats/formats_list.h"

namespace weft::formats {

void decode_f32(const std::byte* blocks, float* out, int64_t n) {
  std::memcpy(out, blocks, static_cast<size_t>(n) * sizeof(float));
}

void encode_f32(const float* values, std::byte* out, int64_t n) {
  std::memcpy(out, values, static_cast<size_t>(n) * sizeof(float));
}

}  // namespace weft::formats
