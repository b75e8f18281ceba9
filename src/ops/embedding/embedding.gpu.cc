// embedding on WebGPU: ids come from the step buffer, where the sampler of the step before may have put them.
#include <algorithm>

#include "base/check.h"
#include "ops/gpu_kernel.h"
#include "ops/linear/planes.h"

namespace weft {
namespace {

bool supports(const OpCall& call, const Caps& caps) {
  const ValueType& table = call.in[1];
  if (call.in[0].dtype != DType::i32 || table.shape.rank != 2) return false;
  const bool blocks = is_block(table.dtype);
  const bool floats = table.dtype == DType::f32 || table.dtype == DType::f16 || table.dtype == DType::bf16;
  return (blocks ? call.layout == WeightLayout::planes : floats) && rows_of_part(call, caps) > 0;
}

GpuLowering lower(const GpuCall& call) {
  const ValueType& table = call.op.in[1];
  const int64_t n = table.shape[0].count, k = table.shape[1].count;
  const Dim tokens = GpuCall::rows(call.op.in[0].shape, 0);
  CHECK(call.port_words[0] >= 0);  // ids are an input of the graph
  GpuLowering lowering;
  const int64_t each = rows_of_part(call.op, call.caps);
  for (int64_t first = 0; first < n; first += each) {
    const int64_t rows = std::min(each, n - first);
    Constants c;
    format_constants(c, table.dtype, k);
    matrix_constants(c, "kMatrix", table.dtype, rows, k, 0);
    c.u32("kRows", rows).u32("kFirst", first).u32("kWhole", n);
    c.dim("kTokens", tokens).u32("kIdsWord", call.port_words[0]);
    lowering.dispatches.push_back(
        {.shader = "embedding",
         .constants = c.text(),
         .bindings = {step(), in(1, static_cast<int>(first / each)), out(0)},
         .grid = {Extent{(k + 1023) / 1024}, Extent{tokens.count, GpuCall::word(tokens)}, {}}});
  }
  return lowering;
}

}  // namespace

extern const Kernel kGpuEmbedding{
    .name = "embedding.gpu", .op = Op::embedding, .device = Caps::Kind::webgpu, .supports = supports, .lower = lower};

}  // namespace weft
