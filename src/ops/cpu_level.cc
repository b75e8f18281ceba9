#include "ops/cpu_level.h"

namespace weft {
namespace {

#if defined(__x86_64__)
// What Highway's targets of the same names assume; the compiler's check includes the operating system's support.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt") &&
         __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("popcnt");
}
bool has_avx512_vnni() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
         __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq") &&
         __builtin_cpu_supports("gfni") && __builtin_cpu_supports("vaes") && __builtin_cpu_supports("vpclmulqdq");
}
#endif

}  // namespace

std::span<const CpuLevel> available_cpu_levels() {
#if defined(__x86_64__)
  static constexpr CpuLevel kLevels[] = {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512_vnni};
  return {kLevels, static_cast<size_t>(has_avx512_vnni() ? 3 : has_avx2() ? 2 : 1)};
#elif defined(__aarch64__)
  static constexpr CpuLevel kLevels[] = {CpuLevel::neon};
  return kLevels;
#else
  static constexpr CpuLevel kLevels[] = {CpuLevel::baseline};
  return kLevels;
#endif
}

}  // namespace weft
