#include "base/dtype.h"

#include <cctype>

namespace weft {
namespace {

constexpr DTypeInfo kInfo[kDTypeCount] = {
    {"f32", 1, 4, 0},       {"f16", 1, 2, 1},       {"bf16", 1, 2, 30},     {"i32", 1, 4, 26},
    {"u32", 1, 4, -1},      {"i8", 1, 1, 24},       {"u8", 1, 1, -1},       {"q4_0", 32, 18, 2},
    {"q4_1", 32, 20, 3},    {"q5_0", 32, 22, 6},    {"q5_1", 32, 24, 7},    {"q8_0", 32, 34, 8},
    {"q2_k", 256, 84, 10},  {"q3_k", 256, 110, 11}, {"q4_k", 256, 144, 12}, {"q5_k", 256, 176, 13},
    {"q6_k", 256, 210, 14}, {"i8_32", 32, 40, -1},
};

}  // namespace

const DTypeInfo& info(DType dtype) { return kInfo[static_cast<int>(dtype)]; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const std::string_view candidate = kInfo[i].name;
    if (candidate.size() != name.size()) continue;
    bool same = true;
    for (size_t c = 0; c < name.size(); ++c) same &= std::tolower(static_cast<unsigned char>(name[c])) == candidate[c];
    if (same) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_ggml(uint32_t type) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kInfo[i].ggml_type >= 0 && static_cast<uint32_t>(kInfo[i].ggml_type) == type) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace weft
