#include "ops/gpu_kernel.h"

#include <bit>
#include <cstdio>

#include "base/check.h"
#include "ops/wgsl.h"

namespace weft {

Dim GpuCall::rows(const Shape& shape, int inner) {
  Dim rows;
  for (int i = 0; i < shape.rank - inner; ++i) {
    rows.count *= shape[i].count;
    if (shape[i].symbol == kNoSymbol) continue;
    CHECK(rows.symbol == kNoSymbol);
    rows.symbol = shape[i].symbol;
  }
  return rows;
}

Constants& Constants::u32(std::string_view name, int64_t value) {
  CHECK(value >= 0 && value <= int64_t{0xFFFFFFFF});
  return line("const " + std::string(name) + " = " + std::to_string(value) + "u;");
}

Constants& Constants::i32(std::string_view name, int64_t value) {
  return line("const " + std::string(name) + " = i32(" + std::to_string(value) + ");");
}

Constants& Constants::f32(std::string_view name, float value) {
  char text[48];
  std::snprintf(text, sizeof text, "%af", static_cast<double>(value));  // hexadecimal: no rounding
  return line("const " + std::string(name) + " = " + text + ";");
}

Constants& Constants::flag(std::string_view name, bool value) {
  return line("const " + std::string(name) + " = " + (value ? "true" : "false") + ";");
}

Constants& Constants::alias(std::string_view name, std::string_view type) {
  return line("alias " + std::string(name) + " = " + std::string(type) + ";");
}

Constants& Constants::line(std::string_view text) {
  text_ += text;
  text_ += '\n';
  return *this;
}

Constants& Constants::binding(std::string_view name, int number, std::string_view access, std::string_view element,
                              bool there) {
  const std::string array = std::string(name) + ": array<" + std::string(element);
  if (!there) return line("var<private> " + array + ", 1>;");
  return line("@group(0) @binding(" + std::to_string(number) + ") var<" + std::string(access) + "> " + array + ">;");
}

Constants& Constants::dim(std::string_view name, const Dim& dim) {
  return u32(name, dim.count).u32(std::string(name) + "Word", GpuCall::word(dim));
}

uint64_t gpu_kernels_fingerprint() {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xFF) * 0x100000001b3;  // no text has this byte: an end
  };
  for (const WgslKernel& kernel : wgsl_kernels()) add(kernel.name), add(kernel.text());
  for (int op = 0; op < kOpCount; ++op) {
    for (const Kernel* kernel : kernels(static_cast<Op>(op))) {
      if (kernel->device == Caps::Kind::webgpu) add(kernel->name);
    }
  }
  return hash;
}

std::string specialised_wgsl(std::string_view shader, std::string_view constants) {
  constexpr std::string_view kBegin = "// specialise\n", kEnd = "// end\n";
  const std::string whole = wgsl_source(shader);
  const std::string_view text = whole;
  CHECK(!text.empty());
  const size_t begin = text.find(kBegin), end = text.find(kEnd, begin);
  CHECK(begin != std::string_view::npos && end != std::string_view::npos);
  // Directives come first in WGSL.
  std::string directives, lines;
  for (size_t at = 0; at < constants.size();) {
    const size_t next = constants.find('\n', at) + 1;
    const std::string_view line = constants.substr(at, next - at);
    (line.starts_with("enable ") || line.starts_with("requires ") ? directives : lines) += line;
    at = next;
  }
  return directives + std::string(text.substr(0, begin)) + lines + std::string(text.substr(end + kEnd.size()));
}

namespace {

int64_t group_weights(const OpCall& call, std::vector<int64_t>& offsets) {
  offsets.assign(call.in.size(), -1);
  int64_t end = 0;
  for (size_t i = 0; i < call.in.size(); ++i) {
    if (!(call.weights >> i & 1)) continue;
    const ValueType& type = call.in[i];
    std::vector<int64_t> shape;
    for (int d = 0; d < type.shape.rank; ++d) shape.push_back(type.shape[d].count);
    offsets[i] = end;
    const bool planes = is_block(type.dtype) && shape.size() == 2;
    end += align_up(layout_bytes(type.dtype, shape, planes ? WeightLayout::planes : WeightLayout::row_major),
                    kGpuAlignment);
  }
  return end;
}

}  // namespace

std::vector<int64_t> grouped_offsets(const OpCall& call) {
  std::vector<int64_t> offsets;
  group_weights(call, offsets);
  return offsets;
}

int64_t grouped_bytes(const OpCall& call) {
  std::vector<int64_t> offsets;
  return group_weights(call, offsets);
}

std::string call_key(const OpCall& call) {
  std::string text(op_name(call.op));
  text += call.tokens == 1 ? " one" : " many";
  for (const ValueType& type : call.in) {
    text += " ";
    if (type.shape.rank == 0) {
      text += "-";
      continue;
    }
    text += std::string(name(type.dtype)) + "[";
    for (int d = 0; d < type.shape.rank; ++d) {
      const Dim& dim = type.shape[d];
      text += (d ? "," : "") + std::to_string(dim.count);
      if (dim.symbol != kNoSymbol) text += "*s" + std::to_string(dim.symbol);
    }
    text += "]";
  }
  return text;
}

}  // namespace weft
