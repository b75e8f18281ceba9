// One token at a time: matrices times one row, with everything around them that would cost a dispatch of its own.
// linear, linear_add, norm_linear, norm_gated_linear and norm_qkv for T = 1.
#include <algorithm>

#include "ops/gpu_grid.h"
#include "ops/linear/planes.h"

namespace weft {
namespace {

// How the rows of the matrices are shared out, and the row staged: by neighbouring threads together, which takes three
// barriers more and reads whole lines of the memory; or a block of 32 by a thread, which is what CPUs prefer.
struct Tile {
  int threads, lanes, per_lane;
  bool together = true;
  int rows() const { return threads / lanes * per_lane; }
};
// For adapters that are CPUs: few lanes, because there are no more anyway, and many rows for each.
constexpr Tile patient(int rows) { return {rows, 4, 4, false}; }
constexpr Tile kTiles[] = {{64, 32, 1},  {64, 16, 1},  {64, 8, 1},   {128, 32, 1}, {128, 16, 1}, {128, 8, 1},
                           {128, 4, 1},  {256, 32, 1}, {256, 16, 1}, {256, 8, 1},  {256, 4, 1},  {256, 32, 2},
                           {256, 16, 2}, {256, 8, 2},  {256, 32, 4}, {256, 16, 4}, patient(64)};
constexpr int kTileCount = static_cast<int>(std::size(kTiles));

bool is_vector_format(DType d) { return d == DType::f32 || d == DType::f16 || d == DType::bf16; }

// What all of them need of their row and matrices: all of one format, bound together.
bool fits(const OpCall& call, const Caps& caps, int x, std::initializer_list<int> matrices,
          std::initializer_list<int> vectors) {
  if (grouped_bytes(call) > caps.gpu.max_binding_bytes) return false;
  const ValueType& row = call.in[x];
  if (call.tokens != 1 || row.dtype != DType::f32 || row.shape.back().count % 32 != 0) return false;
  const DType format = call.in[*matrices.begin()].dtype;
  if (call.attrs.quantized && !is_block(format)) return false;
  for (int m : matrices) {
    if (call.in[m].dtype != format || !(call.weights >> m & 1)) return false;
  }
  return std::ranges::all_of(vectors, [&](int v) {
    return call.in[v].shape.rank == 0 || (is_vector_format(call.in[v].dtype) && call.weights >> v & 1);
  });
}

// The largest equal part of the row that is whole blocks and at most `most` columns.
int64_t chunk_of(int64_t k, int64_t most) {
  for (int64_t parts = (k + most - 1) / most;; ++parts) {
    if (k % parts == 0 && k / parts % 32 == 0) return k / parts;
  }
}

// Columns that are staged at a time: what the workgroup's memory holds beside the lanes' sums, the squares and a few
// words a row; a thread keeps 8 vectors of them while it waits for the others.
int64_t most_columns(const GpuCall& call, const Tile& tile, int matrices) {
  const int64_t memory = std::max<int64_t>(call.caps.gpu.max_workgroup_bytes, 16384);
  const int64_t bytes = memory - 4 * tile.threads * (tile.per_lane * matrices + 1) - 8 * tile.rows();
  if (!call.op.attrs.quantized) return std::min<int64_t>(bytes / 4, 2048);
  const int64_t held = bytes * 8 / 11;  // a code each, and a scale and two sums each block of 32
  return std::min<int64_t>(held, tile.together ? 32 * tile.threads : 4096);
}

// Columns of a unit: what a lane takes of a row at a time.
int64_t unit_columns(const OpCall& call, int w) {
  return call.attrs.quantized && call.in[w].dtype != DType::q8_0 ? 32 : 16;
}

void row_constants(Constants& c, const GpuCall& gpu, const Tile& tile, int x, int w, int matrices, int norm,
                   int64_t norm_offset) {
  const OpCall& call = gpu.op;
  const int64_t k = call.in[x].shape.back().count;
  format_constants(c, call.in[w].dtype, k);
  c.u32("kThreads", tile.threads).u32("kLanes", tile.lanes).u32("kPerLane", tile.per_lane).u32("kMatrices", matrices);
  c.flag("kNorm", norm >= 0).f32("kEps", call.attrs.eps).flag("kQuantized", call.attrs.quantized);
  c.u32("kNormFormat", norm >= 0 ? static_cast<int64_t>(call.in[norm].dtype) : 0).u32("kNormWord", norm_offset / 4);
  const int64_t chunk = chunk_of(k, most_columns(gpu, tile, matrices));
  const int64_t columns = unit_columns(call, w);
  // As many as a thread takes of a chunk, while they fit in registers: 256 columns of all its rows together.
  const int64_t most = tile.together ? std::max<int64_t>(1, 256 / columns / (tile.per_lane * matrices)) : 1;
  c.u32("kChunk", chunk).u32("kAhead", std::min(div_round_up(chunk / columns, tile.lanes), most));
  c.flag("kTogether", tile.together);
}

// How many units lanes share out: more lanes than that would idle.
int64_t units_of(const OpCall& call, int x, int w) { return call.in[x].shape.back().count / unit_columns(call, w); }

// Without tuning: about 256 workgroups, so that a large GPU has two a multiprocessor and none stages the row more often
// than it must; 2 to 64 rows each. As measured on an H200 for the shapes of models of 0.1 to 8 billion parameters.
Tile default_tile(int64_t n, int64_t units) {
  const int64_t rows = n / 256;
  if (units < 64) {  // short rows: few lanes each
    if (rows < 3) return units < 32 ? Tile{64, 16, 1} : Tile{64, 32, 1};
    if (rows < 6) return {64, 16, 1};
    return {64, 8, 1};
  }
  if (rows < 3) return {64, 32, 1};
  if (rows < 6) return {128, 32, 1};
  if (rows < 12) return {256, 32, 1};
  if (rows < 24) return {256, 32, 2};
  return rows < 48 ? Tile{256, 16, 2} : Tile{256, 16, 4};
}

Tile tile_of(const GpuCall& call, int64_t n, int x, int w) {
  Tile tile = call.variant > 0         ? kTiles[call.variant - 1]
              : call.caps.gpu.software ? patient(64)
                                       : default_tile(n, units_of(call.op, x, w));
  while (div_round_up(n, tile.rows()) > kMaxWorkgroups) tile.per_lane *= 2;  // heads of large vocabularies
  return tile;
}
int matvec_variants(const GpuCall&) { return kTileCount + 1; }

// What decode_matvec adds to its sums.
void added_constants(Constants& c, bool residual, bool bias) {
  c.binding("residual", 3, "storage, read_write", "f32", residual);
  c.binding("bias", 4, "storage, read", "u32", bias);
}

Grid grid_of(int64_t groups) { return {Extent{groups}, Extent{}, Extent{}}; }

// linear (x, w, bias), linear_add (x, w, bias, residual): the matrix is bound alone.
bool supports_linear(const OpCall& call, const Caps& caps) { return fits(call, caps, 0, {1}, {2}); }

GpuLowering lower_linear(const GpuCall& call) {
  const OpCall& op = call.op;
  const int64_t n = op.in[1].shape[0].count, k = op.in[1].shape[1].count;
  const bool residual = op.op == Op::linear_add, bias = op.in[2].shape.rank > 0;
  const Tile tile = tile_of(call, n, 0, 1);
  Constants c;
  row_constants(c, call, tile, 0, 1, 1, -1, 0);
  matrix_constants(c, "kMatrix", op.in[1].dtype, n, k, 0);
  matrix_constants(c, "kUp", op.in[1].dtype, n, k, 0);
  c.u32("kN", n).flag("kHasBias", bias).u32("kBiasFormat", bias ? static_cast<int64_t>(op.in[2].dtype) : 0);
  c.flag("kResidual", residual).u32("kActivation", 0).alias("Value", "f32");
  added_constants(c, residual, bias);
  return {{},
          {{"decode_matvec",
            c.text(),
            {out(0), in(1), in(0), residual ? in(3) : absent(), bias ? in(2) : absent()},
            grid_of((n + tile.rows() - 1) / tile.rows())}}};
}

// norm_linear (x, norm, w, bias), norm_gated_linear (x, norm, gate, up).
bool supports_norm_linear(const OpCall& call, const Caps& caps) { return fits(call, caps, 0, {2}, {1, 3}); }
bool supports_gated(const OpCall& call, const Caps& caps) { return fits(call, caps, 0, {2, 3}, {1}); }

GpuLowering lower_normed(const GpuCall& call) {
  const OpCall& op = call.op;
  const bool gated = op.op == Op::norm_gated_linear, bias = !gated && op.in[3].shape.rank > 0;
  const int64_t n = op.in[2].shape[0].count, k = op.in[2].shape[1].count;
  const Tile tile = tile_of(call, n, 0, 2);
  const std::vector<int64_t> offsets = grouped_offsets(op);
  Constants c;
  row_constants(c, call, tile, 0, 2, gated ? 2 : 1, 1, offsets[1]);
  matrix_constants(c, "kMatrix", op.in[2].dtype, n, k, offsets[2]);
  matrix_constants(c, "kUp", op.in[2].dtype, n, k, gated ? offsets[3] : offsets[2]);
  c.u32("kN", n).flag("kHasBias", bias).u32("kBiasFormat", bias ? static_cast<int64_t>(op.in[3].dtype) : 0);
  c.flag("kResidual", false).u32("kActivation", static_cast<int64_t>(op.attrs.act)).alias("Value", "f32");
  added_constants(c, false, bias);
  return {{},
          {{"decode_matvec",
            c.text(),
            {out(0), all_weights(), in(0), absent(), bias ? in(3) : absent()},
            grid_of((n + tile.rows() - 1) / tile.rows())}}};
}

// norm_qkv: the order of its inputs.
enum {
  kKCache,
  kVCache,
  kX,
  kNormWeight,
  kQ,
  kQBias,
  kK,
  kKBias,
  kV,
  kVBias,
  kQNorm,
  kKNorm,
  kFreq,
  kPositions,
  kSlots,
  kCells
};

bool supports_qkv(const OpCall& call, const Caps& caps) {
  if (!fits(call, caps, kX, {kQ, kK, kV}, {kNormWeight, kQBias, kKBias, kVBias, kQNorm, kKNorm})) return false;
  const ValueType& cache = call.in[kKCache];
  const int64_t size = cache.shape[3].count;
  const auto same = [&](int a, int b) {
    return call.in[a].shape.rank == 0 || call.in[b].shape.rank == 0 || call.in[a].dtype == call.in[b].dtype;
  };
  return (cache.dtype == DType::f32 || cache.dtype == DType::f16) && size % 4 == 0 && size <= 256 &&
         call.in[kFreq].shape[0].count * 2 == size && same(kQBias, kKBias) && same(kQBias, kVBias) &&
         same(kKBias, kVBias) && same(kQNorm, kKNorm);
}

// Tiles whose rows are an even part of a head; a whole head where it is normalised.
std::vector<Tile> qkv_tiles(const OpCall& call) {
  const int64_t size = call.in[kKCache].shape[3].count;
  const bool whole = call.in[kQNorm].shape.rank > 0;
  std::vector<Tile> tiles;
  for (int threads : {64, 128, 256}) {
    for (int lanes : {1, 2, 4, 8, 16, 32}) {
      for (int per : {1, 2, 4}) {
        const Tile tile{threads, lanes, per};
        const int rows = tile.rows();
        if (size % rows != 0 || rows % 4 != 0 || (whole && rows != size) || lanes > units_of(call, kX, kQ)) continue;
        tiles.push_back(tile);
      }
    }
  }
  // Heads of odd sizes: a row a thread, whole heads.
  if (tiles.empty()) tiles.push_back({static_cast<int>(size), 1, 1});
  if (size % 64 == 0) tiles.push_back(patient(whole ? static_cast<int>(size) : 64));
  return tiles;
}

int qkv_variants(const GpuCall& call) { return static_cast<int>(qkv_tiles(call.op).size()) + 1; }

GpuLowering lower_qkv(const GpuCall& call) {
  const OpCall& op = call.op;
  const Shape& cache = op.in[kKCache].shape;
  const int64_t k = op.in[kX].shape.back().count, size = cache[3].count, kv_heads = cache[1].count;
  const int64_t heads = op.in[kQ].shape[0].count / size;
  const std::vector<Tile> tiles = qkv_tiles(op);
  Tile tile = tiles.front();
  if (call.variant > 0) {
    tile = tiles[call.variant - 1];
  } else if (call.caps.gpu.software) {
    tile = tiles.back();
  } else {
    double best = 1e30;
    for (const Tile& t : tiles) {
      if (!t.together) continue;
      const double groups = static_cast<double>((heads + 2 * kv_heads) * size / t.rows());
      const double rounds = static_cast<double>(t.per_lane * (units_of(op, kX, kQ) + t.lanes - 1) / t.lanes);
      const double cost = rounds + 6 * std::max(1.0, groups / 264) + 0.002 * groups * 256 / t.threads;
      if (cost < best) tile = t, best = cost;
    }
  }
  const std::vector<int64_t> offsets = grouped_offsets(op);
  const auto has = [&](int i) { return op.in[i].shape.rank > 0; };
  const auto word = [&](int i) { return std::to_string(has(i) ? offsets[i] / 4 : 0) + "u"; };
  const auto flag = [&](int i) { return std::string(has(i) ? "true" : "false"); };
  Constants c;
  row_constants(c, call, tile, kX, kQ, 1, kNormWeight, offsets[kNormWeight]);
  matrix_constants(c, "kQ", op.in[kQ].dtype, heads * size, k, offsets[kQ]);
  matrix_constants(c, "kK", op.in[kK].dtype, kv_heads * size, k, offsets[kK]);
  matrix_constants(c, "kV", op.in[kV].dtype, kv_heads * size, k, offsets[kV]);
  c.u32("kHeads", heads).u32("kKvHeads", kv_heads).u32("kSize", size);
  c.line("const kBias = vec3<bool>(" + flag(kQBias) + ", " + flag(kKBias) + ", " + flag(kVBias) + ");");
  const int bias = has(kQBias) ? kQBias : has(kKBias) ? kKBias : kVBias;
  c.u32("kBiasFormat", has(bias) ? static_cast<int64_t>(op.in[bias].dtype) : 0);
  c.line("const kBiasWord = vec3<u32>(" + word(kQBias) + ", " + word(kKBias) + ", " + word(kVBias) + ");");
  c.flag("kHeadNorm", has(kQNorm));
  c.u32("kHeadNormFormat", has(kQNorm) ? static_cast<int64_t>(op.in[kQNorm].dtype) : 0);
  c.line("const kHeadNormWord = vec2<u32>(" + word(kQNorm) + ", " + word(kKNorm) + ");");
  c.f32("kRopeScale", op.attrs.scale).u32("kPositions", call.port_words[kPositions]);
  const auto& s = op.attrs.sections;
  const bool sections = s != std::array<int32_t, 3>{};
  c.line("const kSections = vec2<u32>(" + std::to_string(sections ? s[0] : size) + "u, " +
         std::to_string(sections ? s[0] + s[1] : size) + "u);");
  c.u32("kSlots", call.port_words[kSlots]).u32("kCells", call.port_words[kCells]);
  c.u32("kCellCount", call.bound(cache[2])).flag("kHalves", op.in[kKCache].dtype == DType::f16);
  return {{},
          {{"decode_qkv",
            c.text(),
            {out(0), all_weights(), in(kX), step(), in(kFreq), out(1), out(2)},
            grid_of((heads + 2 * kv_heads) * size / tile.rows())}}};
}

constexpr Kernel row(std::string_view name, Op op, bool (*supports)(const OpCall&, const Caps&),
                     GpuLowering (*lower)(const GpuCall&), int (*variants)(const GpuCall&)) {
  return {
      .name = name, .op = op, .device = Caps::Kind::webgpu, .supports = supports, .lower = lower, .variants = variants};
}

}  // namespace

extern const Kernel kGpuDecodeLinear = row("linear.decode", Op::linear, supports_linear, lower_linear, matvec_variants);
extern const Kernel kGpuDecodeLinearAdd =
    row("linear_add.decode", Op::linear_add, supports_linear, lower_linear, matvec_variants);
extern const Kernel kGpuNormLinear =
    row("norm_linear.decode", Op::norm_linear, supports_norm_linear, lower_normed, matvec_variants);
extern const Kernel kGpuNormGatedLinear =
    row("norm_gated_linear.decode", Op::norm_gated_linear, supports_gated, lower_normed, matvec_variants);
extern const Kernel kGpuNormQkv = row("norm_qkv.decode", Op::norm_qkv, supports_qkv, lower_qkv, qkv_variants);

}  // namespace weft
