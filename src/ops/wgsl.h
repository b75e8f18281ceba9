// The text of the WGSL kernels, put into the program by the build (cmake/wgsl.cmake).
//
//   std::string text = wgsl_source("rms_norm");  // src/ops/rms_norm/rms_norm.wgsl; empty: there is no such kernel
//   for (const WgslKernel& kernel : wgsl_kernels()) …
//
// A kernel is a .wgsl file anywhere in src/ with an entry point (@compute); its name is the file's, without folder. The
// line
// `// uses: blocks, reduce` at its top appends the text of src/**/blocks.wgsl and reduce.wgsl, so that a number format
// is written once. Such files have no entry point, no directives and no marked block, and are no kernels of this list.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace weft {

inline constexpr size_t kMaxWgslParts = 8;

struct WgslKernel {
  std::string_view name;
  std::array<std::string_view, kMaxWgslParts> parts;  // its own text, then that of the files it uses
  std::string text() const {
    std::string all;
    for (std::string_view part : parts) (all += part) += '\n';
    return all;
  }
};

// Ordered as the files are, by path.
std::span<const WgslKernel> wgsl_kernels();

inline std::string wgsl_source(std::string_view name) {
  for (const WgslKernel& kernel : wgsl_kernels())
    if (kernel.name == name) return kernel.text();
  return {};
}

}  // namespace weft
