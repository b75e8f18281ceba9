// embedding and gather_rows: copies of rows, of weights in any format and layout or of activations.
#include <algorithm>
#include <cstring>

#include "ops/kernel.h"

namespace weft {
namespace {

constexpr int64_t kRows = 16;  // of an item: a row of 1000 floats takes about 0.3 us

void embedding_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const TensorRef &ids = call.in[0], &table = call.in[1];
  const int64_t shape[2] = {table.dim[0], table.dim[1]};
  for (int64_t t = begin * kRows; t < std::min(ids.dim[0], end * kRows); ++t) {
    unpack_row(table.dtype, shape, table.layout, table.data, ids.as<int32_t>()[t],
               call.out[0].as<float>() + t * shape[1]);
  }
}
bool embedding_supports(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::i32; }

void gather_rows_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const TensorRef &x = call.in[0], &rows = call.in[1];
  const int64_t width = x.dim[1];
  for (int64_t r = begin * kRows; r < std::min(rows.dim[0], end * kRows); ++r) {
    std::memcpy(call.out[0].as<float>() + r * width, x.as<float>() + rows.as<int32_t>()[r] * width,
                static_cast<size_t>(width) * 4);
  }
}
bool gather_rows_supports(const OpCall& call, const Caps&) { return call.in[0].dtype == DType::f32; }

int64_t items(const CpuCall& call) { return (call.out[0].dim[0] + kRows - 1) / kRows; }

}  // namespace

extern const Kernel kEmbedding{.name = "embedding.rows",
                               .op = Op::embedding,
                               .supports = embedding_supports,
                               .items = items,
                               .run = embedding_run};
extern const Kernel kGatherRows{.name = "gather_rows.f32",
                                .op = Op::gather_rows,
                                .supports = gather_rows_supports,
                                .items = items,
                                .run = gather_rows_run};
}  // namespace weft
