// Every kernel row, and the layouts of weights.
#include <cstring>

#define HWY_COMPILE_ONLY_STATIC  // one row at a time: not worth an instruction set of its own
#include "base/check.h"
#include "base/half.h"
#include "ops/linear/formats-inl.h"
#include "ops/linear/planes.h"
#include "ops/linear/rows16.h"

namespace weft {

extern const Kernel kEmbedding, kRmsNorm, kAddRmsNorm, kRope, kKvWrite, kAttention, kAdd, kMul, kActivation, kScale,
    kSoftcap, kGatherRows, kLinearRecurrence, kQuantizeRows, kGatedActivation, kLinearRows16Q8, kLinearRows16Q4,
    kLinearPanel, kLinearFloat, kLinearDequantized, kLinearAddRows16Q8, kLinearAddRows16Q4, kLinearAddPanel,
    kLinearAddFloat, kLinearAddDequantized;

extern const Kernel kGpuRmsNorm, kGpuAddRmsNorm, kGpuRope, kGpuKvWrite, kGpuAdd, kGpuMul, kGpuActivation, kGpuScale,
    kGpuSoftcap, kGpuGatherRows, kGpuLinearRecurrence, kGpuQuantizeRows, kGpuGatedActivation, kGpuAttentionDecode,
    kGpuAttentionLanes, kGpuAttentionFlash;

extern const Kernel kGpuEmbedding, kGpuLinearMatvec, kGpuLinearQuads, kGpuLinearSubgroup, kGpuLinearInt8, kGpuLinearF32,
    kGpuLinearAddMatvec, kGpuLinearAddQuads, kGpuLinearAddSubgroup, kGpuLinearAddInt8, kGpuLinearAddF32;

extern const Kernel kGpuDecodeLinear, kGpuDecodeLinearAdd, kGpuNormLinear, kGpuNormGatedLinear, kGpuNormQkv;

namespace {

// Grouped by op; in a group the best first.
const Kernel* const kKernels[] = {
    &kEmbedding,
    &kGpuEmbedding,
    &kRmsNorm,
    &kGpuRmsNorm,
    &kLinearRows16Q8,
    &kLinearRows16Q4,
    &kLinearPanel,
    &kLinearFloat,
    &kLinearDequantized,
    &kGpuDecodeLinear,
    &kGpuLinearQuads,
    &kGpuLinearMatvec,
    &kGpuLinearSubgroup,
    &kGpuLinearInt8,
    &kGpuLinearF32,
    &kRope,
    &kGpuRope,
    &kKvWrite,
    &kGpuKvWrite,
    &kAttention,
    &kGpuAttentionLanes,
    &kGpuAttentionDecode,
    &kGpuAttentionFlash,
    &kAdd,
    &kGpuAdd,
    &kMul,
    &kGpuMul,
    &kActivation,
    &kGpuActivation,
    &kScale,
    &kGpuScale,
    &kSoftcap,
    &kGpuSoftcap,
    &kGatherRows,
    &kGpuGatherRows,
    &kLinearRecurrence,
    &kGpuLinearRecurrence,
    &kQuantizeRows,
    &kGpuQuantizeRows,
    &kGatedActivation,
    &kGpuGatedActivation,
    &kLinearAddRows16Q8,
    &kLinearAddRows16Q4,
    &kLinearAddPanel,
    &kLinearAddFloat,
    &kLinearAddDequantized,
    &kGpuDecodeLinearAdd,
    &kGpuLinearAddQuads,
    &kGpuLinearAddMatvec,
    &kGpuLinearAddSubgroup,
    &kGpuLinearAddInt8,
    &kGpuLinearAddF32,
    &kAddRmsNorm,
    &kGpuAddRmsNorm,
    &kGpuNormLinear,
    &kGpuNormGatedLinear,
    &kGpuNormQkv,
};

}  // namespace

std::string_view cpu_level_name(CpuLevel level) {
  switch (level) {
    case CpuLevel::baseline:
      return "baseline";
    case CpuLevel::avx2:
      return "avx2";
    case CpuLevel::avx512_vnni:
      return "avx512_vnni";
    case CpuLevel::neon:
      return "neon";
  }
  return "?";
}

std::span<const Kernel* const> kernels(Op op) {
  const Kernel* const* begin = kKernels;
  const Kernel* const* end = kKernels + std::size(kKernels);
  while (begin != end && (*begin)->op != op) ++begin;
  const Kernel* const* last = begin;
  while (last != end && (*last)->op == op) ++last;
  return {begin, last};
}

const Kernel* choose_kernel(const OpCall& call, const Caps& caps, int* variant) {
  if (variant) *variant = 0;
  if (caps.tuning) {
    const auto tuned = caps.tuning->choices.find(call_key(call));
    if (tuned != caps.tuning->choices.end()) {
      for (const Kernel* kernel : kernels(call.op)) {
        if (kernel->name != tuned->second.kernel || kernel->device != caps.kind || !kernel->supports(call, caps))
          continue;
        if (variant) *variant = tuned->second.variant;
        return kernel;
      }
    }
  }
  for (const Kernel* kernel : kernels(call.op)) {
    if (kernel->device == Caps::Kind::cpu && call.attrs.quantized)
      continue;  // quantize_rows is a step of its own there
    if (kernel->device == caps.kind && kernel->supports(call, caps)) return kernel;
  }
  return nullptr;
}

WeightLayout layout_for(DType dtype, std::span<const int64_t> shape, const Caps& caps) {
  if (caps.kind == Caps::Kind::webgpu)
    return is_block(dtype) && shape.size() == 2 ? WeightLayout::planes : WeightLayout::row_major;
  const bool fits =
      shape.size() == 2 && shape[0] > 0 && shape[0] % rows16::kRows == 0 && shape[1] % rows16::kColumns == 0;
  const bool packs = dtype == DType::q8_0 || dtype == DType::q4_0;
  return caps.kind == Caps::Kind::cpu && fits && packs ? WeightLayout::rows16 : WeightLayout::row_major;
}

int64_t layout_bytes(DType dtype, std::span<const int64_t> shape, WeightLayout layout) {
  if (layout == WeightLayout::planes) return planes_of(dtype, shape[0], shape[1]).bytes;
  if (layout == WeightLayout::rows16) return rows16::bytes(dtype, shape[0], shape[1]);
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows * row_bytes(dtype, shape.empty() ? 1 : shape.back());
}

void pack_rows(DType dtype, std::span<const int64_t> shape, WeightLayout layout, int64_t first_row, int64_t rows,
               const std::byte* in, std::byte* out) {
  const int64_t k = shape.empty() ? 1 : shape.back(), bytes = row_bytes(dtype, k);
  if (layout == WeightLayout::planes) {
    const Planes planes = planes_of(dtype, shape[0], k);
    pack_planes(dtype, k, rows, reinterpret_cast<const uint8_t*>(in),
                plane_rows(planes, reinterpret_cast<uint8_t*>(out), first_row));
    return;
  }
  if (layout == WeightLayout::row_major) {
    std::memcpy(out + first_row * bytes, in, static_cast<size_t>(rows * bytes));
    return;
  }
  CHECK(first_row % rows16::kRows == 0 && rows % rows16::kRows == 0);
  out += rows16::bytes(dtype, first_row, k);
  rows16::pack(dtype, k, rows, reinterpret_cast<const uint8_t*>(in), reinterpret_cast<uint8_t*>(out));
}

void unpack_row(DType dtype, std::span<const int64_t> shape, WeightLayout layout, const std::byte* weight, int64_t row,
                float* out) {
  const int64_t k = shape.empty() ? 1 : shape.back();
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(weight);
  if (layout == WeightLayout::rows16) return rows16::unpack_row(dtype, k, bytes, row, out);
  if (layout == WeightLayout::planes) return unpack_planes_row(dtype, shape[0], k, bytes, row, out);
  bytes += row * row_bytes(dtype, k);
  const uint16_t* halves = reinterpret_cast<const uint16_t*>(bytes);
  switch (dtype) {
    case DType::f32:
      std::memcpy(out, bytes, static_cast<size_t>(k) * 4);
      return;
    case DType::f16:
      for (int64_t i = 0; i < k; ++i) out[i] = f16_to_f32(halves[i]);
      return;
    case DType::bf16:
      for (int64_t i = 0; i < k; ++i) out[i] = bf16_to_f32(halves[i]);
      return;
    default:
      CHECK(is_block(dtype));
      HWY_NAMESPACE::dequantize_row(dtype, bytes, k, out);
  }
}

}  // namespace weft
