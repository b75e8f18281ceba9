// linear and linear_add on WebGPU: `matvec` for a token (or a few), `matmul_*` for many: with the matrix units of
// subgroups, with products of packed integers, or plainly in f32; matmul_quads where the GPU is a CPU. All read block
// formats from planes (planes.h).
#include <algorithm>
#include <bit>

#include "ops/gpu_kernel.h"
#include "ops/linear/planes.h"

namespace weft {
namespace {

constexpr int64_t kFewRows = 4;   // up to here matvec, which reads the weight once a row of x
constexpr int64_t kNoBias = 255;  // linear_io.wgsl
constexpr int64_t kMatvecThreads = 128;
// A tile is halved while it makes fewer workgroups than this: an H200 has 132 multiprocessors.
constexpr int64_t kEnoughGroups = 128;

struct Tile {
  int64_t tokens, rows;
  int64_t sub_t = 0, sub_n = 0;  // subgroups side by side
};

struct Linear {
  const ValueType &x, &weight;
  const ValueType* bias;
  bool residual;
  int64_t n, k;

  explicit Linear(const OpCall& call)
      : x(call.in[0]),
        weight(call.in[1]),
        bias(call.in.size() > 2 && call.in[2].shape.rank > 0 ? &call.in[2] : nullptr),
        residual(call.op == Op::linear_add),
        n(weight.shape[0].count),
        k(weight.shape[1].count) {}
  bool quantized() const { return x.dtype == DType::i8_32; }
};

int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

// What every kernel here asks: a weight in the layout that blocks.wgsl reads.
bool fits(const OpCall& call, const Caps& caps) {
  if (call.in[1].shape.rank != 2 || call.attrs.quantized) return false;
  const Linear args(call);
  const bool planes = is_block(args.weight.dtype) && call.layout == WeightLayout::planes;
  const bool plain = is_float(args.weight.dtype) && call.layout == WeightLayout::row_major;
  const GpuInfo& gpu = caps.gpu;
  return (planes || plain) && (!args.quantized() || (planes && gpu.packed_dot)) &&
         (args.quantized() || args.x.dtype == DType::f32) && rows_of_part(call, caps) > 0 &&
         divide_up(args.n, kMatvecThreads / 32) <= gpu.max_workgroups && gpu.max_workgroup_bytes >= 16384 &&
         gpu.max_workgroup_invocations >= 256;
}

// A dispatch a part of the weight.
GpuLowering lower_linear(const GpuCall& call, std::string_view shader, Constants& c, int64_t tile_t, int64_t tile_n) {
  const Linear args(call.op);
  const Dim rows = GpuCall::rows(args.x.shape, 1);
  format_constants(c, args.weight.dtype, args.k);
  c.u32("kWidth", args.n).dim("kTokens", rows).flag("kXQuantized", args.quantized());
  const bool wide = args.k % (args.quantized() ? 64 : 4) == 0;
  c.alias("XType", wide ? "vec4<u32>" : "u32");
  c.u32("kBiasFormat", args.bias ? static_cast<int64_t>(args.bias->dtype) : kNoBias);
  c.flag("kResidual", args.residual);
  GpuLowering lowering;
  const int64_t each = rows_of_part(call.op, call.caps);
  for (int64_t first = 0; first < args.n; first += each) {
    const int64_t n = std::min(each, args.n - first);
    Constants own = c;
    matrix_constants(own, "kMatrix", args.weight.dtype, n, args.k, 0);
    own.u32("kRows", n).u32("kFirst", first);
    const GpuBinding part = in(1, static_cast<int>(first / each));
    // A kernel's bindings are all bound, also those that this call has not; nothing() is one to write to.
    lowering.dispatches.push_back(
        {.shader = shader,
         .constants = own.text(),
         .bindings = {in(0), part, out(0), step(), args.bias ? in(2) : step(), args.residual ? in(3) : nothing()},
         .grid = {Extent{divide_up(n, tile_n)}, Extent{rows.count, GpuCall::word(rows), tile_t}, Extent{}}});
  }
  return lowering;
}

// ── matvec

// Variant: so many lanes a row, so many rows a lane; the default first.
struct Lanes {
  int64_t lanes, rows;
};
constexpr int64_t kLaneCounts[] = {16, 32};
constexpr int64_t kRowCounts[] = {1, 2, 4};
constexpr int kLaneVariants = 6;

Lanes matvec_lanes(const Linear& args, int variant) {
  const int64_t units = is_block(args.weight.dtype) ? args.k / 32 : divide_up(args.k, 8);
  const int lanes = units >= 32 ? 1 : 0;
  const int rows = args.n >= 8192 ? 2 : args.n >= 2048 ? 1 : 0;
  const int at = (lanes * 3 + rows + variant) % kLaneVariants;
  return {kLaneCounts[at / 3], kRowCounts[at % 3]};
}

GpuLowering lower_matvec(const GpuCall& call) {
  const Lanes lanes = matvec_lanes(Linear(call.op), call.variant);
  const int64_t groups = kMatvecThreads / lanes.lanes;
  Constants c;
  c.u32("kLanes", lanes.lanes).u32("kGroups", groups).u32("kPerLane", lanes.rows);
  return lower_linear(call, "linear_matvec", c, 1, groups * lanes.rows);
}

bool matvec_supports(const OpCall& call, const Caps& caps) { return fits(call, caps) && call.tokens == 1; }
int matvec_variants(const GpuCall&) { return kLaneVariants; }

// ── matmul

// Of the first `usual` tiles the first (largest) that gives enough workgroups; variants count on from it.
Tile choose_tile(const GpuCall& call, std::span<const Tile> tiles, size_t usual) {
  const int64_t tokens = call.bound(GpuCall::rows(call.op.in[0].shape, 1)), n = call.op.in[1].shape[0].count;
  size_t best = 0;
  while (best + 1 < usual && divide_up(tokens, tiles[best].tokens) * divide_up(n, tiles[best].rows) < kEnoughGroups)
    ++best;
  return tiles[(best + static_cast<size_t>(call.variant)) % tiles.size()];
}

bool few_rows(const GpuCall& call) { return call.bound(GpuCall::rows(call.op.in[0].shape, 1)) <= kFewRows; }

constexpr Tile kPlainTiles[] = {{64, 64}, {32, 64}, {32, 32}, {16, 32}};

GpuLowering lower_plain(const GpuCall& call, std::string_view shader) {
  if (few_rows(call)) return lower_matvec(call);
  const Tile tile = choose_tile(call, kPlainTiles, std::size(kPlainTiles));
  Constants c;
  c.u32("kTileT", tile.tokens).u32("kTileN", tile.rows);
  return lower_linear(call, shader, c, tile.tokens, tile.rows);
}
GpuLowering lower_f32(const GpuCall& call) { return lower_plain(call, "linear_matmul_f32"); }
GpuLowering lower_int8(const GpuCall& call) { return lower_plain(call, "linear_matmul_int8"); }
int plain_variants(const GpuCall& call) {
  return few_rows(call) ? kLaneVariants : static_cast<int>(std::size(kPlainTiles));
}

// SmolLM2-135M's [1536, 576] x 32 on two cores, ms: lavapipe with 8 lanes 1.26 and 1.55 (matmul_int8: 3.9), SwiftShader
// with 4 lanes 17.2 and 12.6 (matmul_int8: 53).
constexpr Tile kQuadTiles[] = {{8, 32}, {16, 64}};

GpuLowering lower_quads(const GpuCall& call) {
  const bool wide = call.caps.gpu.subgroup_max < 8 && call.bound(GpuCall::rows(call.op.in[0].shape, 1)) > 8;
  const Tile tile = kQuadTiles[static_cast<size_t>((wide ? 1 : 0) + call.variant) % std::size(kQuadTiles)];
  Constants c;
  c.line("enable subgroups;").u32("kTileT", tile.tokens).u32("kTileN", tile.rows);
  c.flag("kEight", call.caps.gpu.subgroup_min >= 8);
  return lower_linear(call, "linear_matmul_quads", c, tile.tokens, tile.rows);
}
int quads_variants(const GpuCall&) { return static_cast<int>(std::size(kQuadTiles)); }

// The shape of subgroup matrices to use: with sums in f32, the one with the most products.
const GpuInfo::MatrixShape* matrix_shape(const GpuInfo& gpu) {
  const GpuInfo::MatrixShape* best = nullptr;
  for (const GpuInfo::MatrixShape& s : gpu.matrices) {
    const bool cuts = std::has_single_bit(s.m) && std::has_single_bit(s.n) && std::has_single_bit(s.k) && s.m <= 16 &&
                      s.n <= 16 && s.k >= 8 && s.k <= 32;
    if (s.f32_sum && cuts && (!best || s.m * s.n * s.k > best->m * best->n * best->k)) best = &s;
  }
  return best;
}

// An H200 reads x from its second-level cache once per tile of W: the largest tile that gives enough workgroups is the
// fastest or near it (1B, 512 tokens: 137 us at 128 x 128, 268 at 64 x 128, 335 at 32 x 64). The last is left to the
// tuning. Software GPUs, which take seconds to compile large tiles, have the small ones.
constexpr Tile kSubgroupTiles[] = {{128, 128, 2, 4}, {64, 128, 2, 4}, {64, 64, 2, 2},
                                   {32, 64, 1, 4},   {32, 32, 2, 2},  {64, 256, 1, 8}};
std::span<const Tile> subgroup_tiles(const GpuInfo& gpu) {
  const std::span<const Tile> all = kSubgroupTiles;
  return gpu.software ? all.subspan(3, 2) : all;
}

// Before matmul_int8 in the registry: where matrix units multiply f16, quantising x costs a dispatch and gains nothing.
bool subgroup_supports(const OpCall& call, const Caps& caps) {
  const GpuInfo& gpu = caps.gpu;
  if (call.in[0].dtype != DType::f32 || !fits(call, caps)) return false;
  const Linear args(call);
  const bool weights = is_block(args.weight.dtype) || args.weight.dtype == DType::f16;
  return weights && args.k % 4 == 0 && gpu.f16 && gpu.subgroups && gpu.subgroup_matrix && matrix_shape(gpu) &&
         gpu.subgroup_min == gpu.subgroup_max && gpu.subgroup_max * 8 <= gpu.max_workgroup_invocations &&
         gpu.max_workgroup_bytes >= 32768;
}
bool int8_supports(const OpCall& call, const Caps& caps) {
  return call.in[0].dtype == DType::i8_32 && fits(call, caps);
}
// Before all others: on a CPU that plays GPU it is 3 to 4 times as fast as any.
bool quads_supports(const OpCall& call, const Caps& caps) {
  return caps.gpu.software && caps.gpu.subgroups && caps.gpu.subgroup_min >= 4 && int8_supports(call, caps);
}
bool f32_supports(const OpCall& call, const Caps& caps) { return call.in[0].dtype == DType::f32 && fits(call, caps); }

GpuLowering lower_subgroup(const GpuCall& call) {
  if (few_rows(call)) return lower_matvec(call);
  const GpuInfo::MatrixShape& shape = *matrix_shape(call.caps.gpu);
  const std::span<const Tile> tiles = subgroup_tiles(call.caps.gpu);
  const Tile tile = choose_tile(call, tiles, std::min<size_t>(tiles.size(), 5));
  Constants c;
  c.line("enable f16;").line("enable subgroups;").line("enable chromium_experimental_subgroup_matrix;");
  c.u32("kSubgroupSize", call.caps.gpu.subgroup_max).u32("kM", shape.m).u32("kN", shape.n).u32("kK", shape.k);
  c.u32("kTileT", tile.tokens).u32("kTileN", tile.rows).u32("kSubT", tile.sub_t).u32("kSubN", tile.sub_n);
  // Two tiles of 64 columns must fit in 32 KiB.
  c.u32("kStep", Linear(call.op).k % 64 == 0 && (tile.tokens + tile.rows) * 9 * 16 <= 32768 ? 64 : 32);
  return lower_linear(call, "linear_matmul_subgroup", c, tile.tokens, tile.rows);
}
int subgroup_variants(const GpuCall& call) {
  return few_rows(call) ? kLaneVariants : static_cast<int>(subgroup_tiles(call.caps.gpu).size());
}

constexpr Kernel row(std::string_view name, Op op, bool (*supports)(const OpCall&, const Caps&),
                     GpuLowering (*lower)(const GpuCall&), int (*variants)(const GpuCall&)) {
  return {
      .name = name, .op = op, .device = Caps::Kind::webgpu, .supports = supports, .lower = lower, .variants = variants};
}

}  // namespace

extern const Kernel kGpuLinearMatvec = row("linear.matvec", Op::linear, matvec_supports, lower_matvec, matvec_variants);
extern const Kernel kGpuLinearQuads =
    row("linear.matmul_quads", Op::linear, quads_supports, lower_quads, quads_variants);
extern const Kernel kGpuLinearSubgroup =
    row("linear.matmul_subgroup_f16", Op::linear, subgroup_supports, lower_subgroup, subgroup_variants);
extern const Kernel kGpuLinearInt8 = row("linear.matmul_int8", Op::linear, int8_supports, lower_int8, plain_variants);
extern const Kernel kGpuLinearF32 = row("linear.matmul_f32", Op::linear, f32_supports, lower_f32, plain_variants);

extern const Kernel kGpuLinearAddMatvec =
    row("linear_add.matvec", Op::linear_add, matvec_supports, lower_matvec, matvec_variants);
extern const Kernel kGpuLinearAddQuads =
    row("linear_add.matmul_quads", Op::linear_add, quads_supports, lower_quads, quads_variants);
extern const Kernel kGpuLinearAddSubgroup =
    row("linear_add.matmul_subgroup_f16", Op::linear_add, subgroup_supports, lower_subgroup, subgroup_variants);
extern const Kernel kGpuLinearAddInt8 =
    row("linear_add.matmul_int8", Op::linear_add, int8_supports, lower_int8, plain_variants);
extern const Kernel kGpuLinearAddF32 =
    row("linear_add.matmul_f32", Op::linear_add, f32_supports, lower_f32, plain_variants);

}  // namespace weft
