// attention.lanes: for one row where subgroups have the lanes. attention.decode: for few rows, split over the cells
// with a second dispatch that puts the splits together;
// attention.flash: for many rows, tiles of rows by tiles of keys. Both in f32.
#include <array>

#include "ops/gpu_grid.h"

namespace weft {
namespace {

constexpr int64_t kFewRows = 8;  // up to here every row goes through the cells by itself
// Workgroups that a row is split into, over all heads: two for each of an H200's multiprocessors, which run at once.
constexpr int64_t kWorkgroups = 264;

// The sizes that both kernels know.
struct Sizes {
  DType type;
  bool plain;
  int64_t width, heads, kv_heads, group;
  Dim tokens, cells, slots;
  int64_t most_cells, most_tokens;

  explicit Sizes(const GpuCall& call) {
    const Shape &q = call.op.in[0].shape, &k = call.op.in[1].shape;
    type = call.op.in[1].dtype;
    plain = k.rank == 3;
    width = q[2].count;
    heads = q[1].count;
    kv_heads = k[1].count;
    group = heads / kv_heads;
    tokens = q[0];
    cells = plain ? k[0] : k[2];
    slots = plain ? Dim{1} : k[0];
    most_cells = call.bound(cells);
    most_tokens = call.bound(tokens);
  }
  // What attention_range.wgsl needs.
  void add(Constants& c, const GpuCall& call) const {
    c.u32("kD", width).u32("kHeads", heads).u32("kKvHeads", kv_heads);
    c.flag("kPlain", plain).dim("kN", slots).dim("kS", cells);
    c.u32("kSlots", plain ? 0 : port_word(call, 3)).u32("kCells", plain ? 0 : port_word(call, 4));
    c.u32("kWindow", call.op.attrs.window).f32("kCap", call.op.attrs.cap);
  }
};

bool supports_any(const OpCall& call) {
  const DType keys = call.in[1].dtype;
  const bool state = call.in[1].shape.rank == 4;
  return call.in[0].dtype == DType::f32 && keys == call.in[2].dtype && call.in[0].shape[2].count <= 256 &&
         (keys == DType::f32 || (state && (keys == DType::f16 || keys == DType::q8_0)));
}

// Splits of a row where each makes `workgroups` of them: attention_cut.wgsl.
int64_t splits_of(const Sizes& s, int64_t cells, int64_t workgroups) {
  return std::min(div_round_up(s.most_cells, cells), std::max<int64_t>(1, kWorkgroups / workgroups));
}

// Threads (and cells at a time) and the fewest cells of a workgroup.
struct Split {
  int64_t tile, cells;
};
constexpr std::array kSplits = {Split{256, 512}, Split{256, 1024}, Split{128, 256}};

bool supports_decode(const OpCall& call, const Caps&) {
  const int64_t width = call.in[0].shape[2].count;
  const int64_t loads = call.in[1].dtype == DType::f32 ? 4 : call.in[1].dtype == DType::f16 ? 8 : 32;
  return supports_any(call) && call.tokens >= 1 && call.tokens <= kFewRows && width % loads == 0;
}

GpuLowering lower_decode(const GpuCall& call) {
  const Sizes s(call);
  const int64_t quads = s.group > 4 && s.width <= 128 ? 2 : 1, chunks = div_round_up(s.group, 4 * quads);
  const int64_t tile = kSplits[call.variant].tile;
  const int64_t cells = std::min(kSplits[call.variant].cells, align_up(s.most_cells, tile));
  const int64_t splits = splits_of(s, cells, s.kv_heads * chunks);
  const bool quantised = s.type == DType::q8_0;
  Constants c;
  s.add(c, call);
  c.u32("kSplit", cells).u32("kSplits", splits);
  GpuLowering lowering{{s.most_tokens * s.heads * splits * (s.width + 2) * 4}, {}};
  const Extent rows{s.tokens.count, GpuCall::word(s.tokens), 1};
  GpuDispatch combine{"attention_combine", c.text(), {scratch(0), out(0), step()}, {Extent{s.heads}, rows, Extent{}}};
  combine.lengths.above = s.plain ? 0 : cells;

  if (!quantised) c.u32("kType", s.type == DType::f32 ? 0 : 1);
  c.u32("kGroup", s.group).u32("kQuads", quads).u32("kTile", tile);
  c.u32("kCombine", splits == 1 ? 0 : s.plain ? 2 : 1).u32("kUnit", s.type == DType::f32 ? 2 : 4);
  c.u32("kParts", div_round_up(s.width, s.type == DType::f16 ? 64 : 32)).u32("kLength", kLengthWord);
  c.f32("kScale", call.op.attrs.scale);
  GpuDispatch decode{.shader = quantised ? "attention_decode_q8" : "attention_decode", .constants = c.text()};
  decode.bindings = {in(0), in(1), in(2), out(0), scratch(0), step()};
  Extent parts = s.plain ? Extent{s.cells.count, GpuCall::word(s.cells), cells} : Extent{1, kLengthWord, cells};
  parts.most = splits;
  decode.grid = {Extent{s.kv_heads * chunks}, parts, rows};
  lowering.dispatches.push_back(std::move(decode));
  if (splits > 1) lowering.dispatches.push_back(std::move(combine));
  return lowering;
}

int variants_decode(const GpuCall&) { return static_cast<int>(kSplits.size()); }

// One row by lanes that shuffle. Short contexts: a workgroup a head sees all cells and nothing is to be put together.
// Longer ones: splits, up to four heads of a group in a workgroup, so that the cache is read once.
struct Lanes {
  int64_t alone, split;  // cells up to which a head stays alone; the fewest of a split
};
constexpr std::array kLanes = {Lanes{512, 256}, Lanes{256, 256}, Lanes{1024, 512}, Lanes{256, 128}, Lanes{512, 512}};

bool supports_lanes(const OpCall& call, const Caps& caps) {
  const Shape& q = call.in[0].shape;
  const int64_t width = q[2].count, lanes = width / 8;
  return call.tokens == 1 && call.in[0].dtype == DType::f32 && call.in[1].dtype == DType::f16 &&
         call.in[1].shape.rank == 4 && width % 8 == 0 && lanes >= 1 && lanes <= 32 && (lanes & (lanes - 1)) == 0 &&
         caps.gpu.subgroups && static_cast<int64_t>(caps.gpu.subgroup_min) >= lanes &&
         caps.gpu.subgroup_min == caps.gpu.subgroup_max && caps.gpu.subgroup_max <= 64 &&
         256 / static_cast<int64_t>(caps.gpu.subgroup_max) * (width + 2) * 16 <= caps.gpu.max_workgroup_bytes;
}

GpuLowering lower_lanes(const GpuCall& call) {
  const Sizes s(call);
  const Lanes lanes = kLanes[static_cast<size_t>(call.variant)];
  const int64_t each = std::min<int64_t>(s.group, 4), workgroups = s.kv_heads * div_round_up(s.group, each);
  const int64_t split = lanes.split, splits = splits_of(s, split, workgroups);
  const auto constants = [&] {
    Constants c;
    c.line("enable subgroups;");
    s.add(c, call);
    return c.u32("kGroup", s.group).u32("kThreads", 256).f32("kScale", call.op.attrs.scale);
  };
  GpuDispatch alone{"attention_head", constants().u32("kUnroll", 4).text(), {in(0), in(1), in(2), out(0), step()}};
  alone.grid = {Extent{s.heads}, Extent{}, Extent{}};
  alone.lengths.up_to = lanes.alone;
  if (s.most_cells <= lanes.alone) return {{}, {alone}};
  GpuDispatch parts{"attention_lanes",
                    constants()
                        .u32("kEach", each)
                        .u32("kSubgroup", call.caps.gpu.subgroup_max)
                        .u32("kSplit", split)
                        .u32("kSplits", splits)
                        .text(),
                    {in(0), in(1), in(2), scratch(0), step()}};
  parts.grid = {Extent{workgroups}, Extent{1, kLengthWord, split, splits}, Extent{}};
  parts.lengths.above = lanes.alone;
  GpuLowering lowering{{s.heads * splits * (s.width + 2) * 4}, {std::move(alone), std::move(parts)}};
  Constants c;
  s.add(c, call);
  c.u32("kSplit", split).u32("kSplits", splits);
  GpuDispatch combine{
      "attention_combine", c.text(), {scratch(0), out(0), step()}, {Extent{s.heads}, Extent{}, Extent{}}};
  combine.lengths.above = lanes.alone;
  lowering.dispatches.push_back(std::move(combine));
  return lowering;
}

int variants_lanes(const GpuCall&) { return static_cast<int>(kLanes.size()); }

// Threads of a workgroup, dimensions of a thread and keys of a tile.
struct Tile {
  int64_t threads, part, keys;
};

// What fits in 16 KiB: keys and values of a tile in f32, and where threads share a row, parts of four scores twice.
std::vector<Tile> tiles(const Sizes& s, bool software) {
  const auto part = [&](int64_t parts) { return align_up(div_round_up(s.width, parts), 4); };
  if (s.width > 128) return {{128, part(4), 4}, {64, part(4), 4}};
  if (s.width > 64) return {{64, part(2), 8}, {128, part(2), 8}};
  std::vector<Tile> list{{128, part(1), 16}, {64, part(1), 16}};
  // Two threads a row are twice as fast on an H200 as one, whose registers do not hold a query and its sum.
  if (s.width > 32 && !software) list.insert(list.begin(), {128, part(2), 16});
  return list;
}

// One row alone leaves most threads of a workgroup idle.
bool supports_flash(const OpCall& call, const Caps& caps) {
  return supports_any(call) && !(call.tokens == 1 && supports_decode(call, caps));
}

GpuLowering lower_flash(const GpuCall& call) {
  const Sizes s(call);
  const Tile tile = tiles(s, call.caps.gpu.software)[static_cast<size_t>(call.variant)];
  const int64_t parts = div_round_up(s.width, tile.part), rows = tile.threads / parts;
  Constants c;
  s.add(c, call);
  c.u32("kType", s.type == DType::f32 ? 0 : s.type == DType::f16 ? 1 : 2).u32("kGroup", s.group);
  c.u32("kPart", tile.part).u32("kParts", parts).u32("kThreads", tile.threads).u32("kKeys", tile.keys);
  c.dim("kT", s.tokens).f32("kScale", call.op.attrs.scale);
  GpuDispatch flash{.shader = "attention_flash", .constants = c.text()};
  flash.bindings = {in(0), in(1), in(2), out(0), step()};
  flash.grid = {Extent{s.kv_heads}, Extent{s.tokens.count * s.group, GpuCall::word(s.tokens), rows}, Extent{}};
  return {{}, {flash}};
}

int variants_flash(const GpuCall& call) { return static_cast<int>(tiles(Sizes(call), call.caps.gpu.software).size()); }

}  // namespace

extern const Kernel kGpuAttentionDecode{.name = "attention.decode",
                                        .op = Op::attention,
                                        .device = Caps::Kind::webgpu,
                                        .supports = supports_decode,
                                        .lower = lower_decode,
                                        .variants = variants_decode};
extern const Kernel kGpuAttentionLanes{.name = "attention.lanes",
                                       .op = Op::attention,
                                       .device = Caps::Kind::webgpu,
                                       .supports = supports_lanes,
                                       .lower = lower_lanes,
                                       .variants = variants_lanes};
extern const Kernel kGpuAttentionFlash{.name = "attention.flash",
                                       .op = Op::attention,
                                       .device = Caps::Kind::webgpu,
                                       .supports = supports_flash,
                                       .lower = lower_flash,
                                       .variants = variants_flash};

}  // namespace weft
