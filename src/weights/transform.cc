#include "weights/transform.h"

#include <cstring>

#include "base/check.h"
#include "weights/formats.h"

namespace weft {

void interleaved_to_half_rope(std::span<const std::byte> in, std::span<std::byte> out, size_t row_bytes,
                              size_t head_dim) {
  CHECK(in.size() == out.size() && head_dim % 2 == 0 && in.size() % (head_dim * row_bytes) == 0);
  const size_t half = head_dim / 2;
  for (size_t head = 0; head < in.size(); head += head_dim * row_bytes) {
    for (size_t j = 0; j < half; ++j) {
      const std::byte* pair = in.data() + head + 2 * j * row_bytes;
      std::memcpy(out.data() + head + j * row_bytes, pair, row_bytes);
      std::memcpy(out.data() + head + (half + j) * row_bytes, pair + row_bytes, row_bytes);
    }
  }
}

void add_one(DType dtype, std::span<const std::byte> in, std::span<float> out) {
  dequantize(dtype, in.data(), out.data(), static_cast<int64_t>(out.size()));
  for (float& value : out) value += 1.0f;
}

}  // namespace weft
