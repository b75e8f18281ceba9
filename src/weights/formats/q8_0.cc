// Block of 32: f16 scale d | i8 q[32]; value d * q.
#include <algorithm>

#include "weights/formats/block.h"

#pragma clang fp contract(off)

namespace weft::formats {
namespace {
constexpr int kBlock = 32, kBytes = 34;
}

void decode_q8_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, blocks += kBytes, out += kBlock) {
    const float d = load_f16(blocks);
    const auto* q = reinterpret_cast<const int8_t*>(blocks + 2);
    for (int i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(q[i]);
  }
}

void encode_q8_0(const float* values, std::byte* out, int64_t n) {
  for (int64_t b = 0; b < n / kBlock; ++b, values += kBlock, out += kBytes) {
    float largest = 0;
    for (int i = 0; i < kBlock; ++i) largest = std::max(largest, std::abs(values[i]));
    const float d = largest / 127;
    const float id = inverse(d);
    store_f16(out, d);
    auto* q = reinterpret_cast<int8_t*>(out + 2);
    for (int i = 0; i < kBlock; ++i) q[i] = static_cast<int8_t>(truncate(std::round(values[i] * id), -127, 127));
  }
}

}  // namespace weft::formats
