#include "plan/floats.h"

#include "base/half.h"

namespace weft {
namespace {

void i8_32_row(const std::byte* row, int64_t k, float* out) {
  const int8_t* quants = reinterpret_cast<const int8_t*>(row);
  const float* scales = reinterpret_cast<const float*>(row + k);
  for (int64_t i = 0; i < k; ++i) out[i] = scales[i / 32] * static_cast<float>(quants[i]);
}

}  // namespace

std::vector<float> to_floats(const TensorRef& tensor) {
  std::vector<float> floats(static_cast<size_t>(tensor.elements()));
  if (floats.empty()) return floats;
  const int64_t k = tensor.rank ? tensor.dim[tensor.rank - 1] : 1, rows = tensor.elements() / k;
  const int64_t bytes = row_bytes(tensor.dtype, k);
  const int64_t shape[2] = {rows, k};
  for (int64_t r = 0; r < rows; ++r) {
    float* out = floats.data() + r * k;
    if (tensor.dtype == DType::i8_32) {
      i8_32_row(tensor.data + r * bytes, k, out);
    } else if (tensor.dtype == DType::i32) {
      for (int64_t i = 0; i < k; ++i) out[i] = static_cast<float>(tensor.as<int32_t>()[r * k + i]);
    } else {
      unpack_row(tensor.dtype, shape, WeightLayout::row_major, tensor.data, r, out);
    }
  }
  return floats;
}

}  // namespace weft
