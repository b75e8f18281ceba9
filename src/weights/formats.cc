#include "weights/formats.h"

#include <cmath>

#include "base/check.h"
#include "weights/formats/formats_list.h"

namespace weft {
namespace {

struct Format {
  DType dtype;
  void (*decode)(const std::byte*, float*, int64_t);
  void (*encode)(const float*, std::byte*, int64_t);
};

#define WEFT_FORMAT(name) {DType::name, formats::decode_##name, formats::encode_##name}
constexpr Format kFormats[] = {
    WEFT_FORMAT(f32),  WEFT_FORMAT(f16),  WEFT_FORMAT(bf16), WEFT_FORMAT(q4_0), WEFT_FORMAT(q4_1),
    WEFT_FORMAT(q5_0), WEFT_FORMAT(q5_1), WEFT_FORMAT(q8_0), WEFT_FORMAT(q2_k), WEFT_FORMAT(q3_k),
    WEFT_FORMAT(q4_k), WEFT_FORMAT(q5_k), WEFT_FORMAT(q6_k),
};
#undef WEFT_FORMAT

const Format* format_of(DType dtype) {
  for (const Format& format : kFormats) {
    if (format.dtype == dtype) return &format;
  }
  return nullptr;
}

}  // namespace

bool can_dequantize(DType dtype) { return format_of(dtype) != nullptr; }
bool can_quantize(DType dtype) { return format_of(dtype) != nullptr; }

void dequantize(DType dtype, const std::byte* blocks, float* out, int64_t elements) {
  const Format* format = format_of(dtype);
  CHECK(format && elements % info(dtype).block == 0);
  format->decode(blocks, out, elements);
}

void quantize(DType dtype, const float* values, std::byte* out, int64_t elements) {
  const Format* format = format_of(dtype);
  CHECK(format && elements % info(dtype).block == 0);
  format->encode(values, out, elements);
}

bool all_finite(const float* values, int64_t elements) {
  // x - x is 0 for a finite x and NaN for the others; NaN survives the sum. No branch, so it vectorises.
  bool good = true;
  for (int64_t i = 0; i < elements; ++i) good &= values[i] - values[i] == 0;
  return good;
}

}  // namespace weft
