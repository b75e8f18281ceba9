// attention with online softmax in f32, over caches of f32, f16 or q8_0 and over plain keys.
//
// Queries come in blocks of 16: heads of one kv head's group x consecutive tokens, one query a lane, so that each key
// and value is fetched once for the whole group and every sum is a plain chain of multiply-adds without sums across
// lanes. Keys are walked in blocks of 64 cells from cell 0 on, and every 512 cells (a segment) begin a new softmax that
// is then merged with those before. A block or segment that a lane must not see changes none of its bits (p = 0,
// factor 1). So a query's result depends on its own range of cells only: not on T, chunks or threads.
//
// An item is one kv head and one block of queries; where there is only one block (decode), one segment of it, and the
// worker that finishes a head's last segment merges them in order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention/attention.cpu.cc"
#include <atomic>

#include "ops/math-inl.h"
#include "ops/simd.h"

namespace weft {
#ifndef WEFT_ATTENTION_COMMON
#define WEFT_ATTENTION_COMMON
inline constexpr int64_t kQueries = 16;   // of a block
inline constexpr int64_t kKeys = 64;      // of a block
inline constexpr int64_t kSegment = 512;  // keys of one softmax
inline constexpr int64_t kCounter = 64;   // bytes: a cache line each

struct AttentionArgs {
  const TensorRef &q, &k, &v;
  const int32_t *slots, *cells;  // nullptr: plain keys
  int64_t tokens, heads, width, kv_heads, group, keys;
  int64_t query_blocks;
  int64_t segments = 1;  // that items are cut by

  explicit AttentionArgs(const CpuCall& call)
      : q(call.in[0]),
        k(call.in[1]),
        v(call.in[2]),
        slots(call.in.size() > 3 && call.in[3].data ? call.in[3].as<int32_t>() : nullptr),
        cells(call.in.size() > 4 && call.in[4].data ? call.in[4].as<int32_t>() : nullptr),
        tokens(q.dim[0]),
        heads(q.dim[1]),
        width(q.dim[2]),
        kv_heads(k.dim[1]),
        group(heads / kv_heads),
        keys(cells ? k.dim[2] : k.dim[0]),
        query_blocks(div_up(tokens * group, kQueries)) {
    if (query_blocks != 1 || call.workers == 1) return;
    int64_t last = cells ? 0 : keys - 1;
    for (int64_t t = 0; cells && t < tokens; ++t) last = std::max<int64_t>(last, cells[t]);
    segments = div_up(last + 1, kSegment);
  }
};

// Result of a softmax over some of the keys: maximum[16], total[16], o[D][16], one query a lane.
struct Partial {
  float *maximum, *total, *o;
  Partial(float* at) : maximum(at), total(at + kQueries), o(at + 2 * kQueries) {}
  static int64_t floats(int64_t width) { return kQueries * (width + 2); }
};

// Scratch: a counter of finished segments a kv head; what a worker needs: q [D][16], scores [64][16], a block of keys
// or values [64][D], two partials; the partials of [kv heads][segments].
struct AttentionScratch {
  int64_t worker_floats, workers, partials, bytes;  // the last three: offsets in bytes
  AttentionScratch(int64_t width, int64_t kv_heads, int64_t segments, int worker_count)
      : worker_floats(width * (kQueries + kKeys) + kKeys * kQueries + 2 * Partial::floats(width)),
        workers(kv_heads * kCounter),
        partials(workers + worker_floats * 4 * worker_count),
        bytes(partials + (segments > 1 ? kv_heads * segments * Partial::floats(width) * 4 : 0)) {}
};

inline std::atomic<int32_t>& finished_segments(const CpuCall& call, int64_t head) {
  return *reinterpret_cast<std::atomic<int32_t>*>(call.scratch.data() + head * kCounter);
}
#endif
}  // namespace weft

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

// Rows [first, first + n) of one head as floats: in place when they are, else converted into `buffer`.
struct HeadRows {
  const uint8_t* base;
  DType dtype;
  int64_t stride, width;  // bytes from row to row, elements of a row

  HWY_INLINE const float* fetch(int64_t first, int64_t n, float* buffer, int64_t& row_floats) const {
    const uint8_t* in = base + first * stride;
    if (dtype == DType::f32) {
      row_floats = stride / 4;
      return reinterpret_cast<const float*>(in);
    }
    row_floats = width;
    const F32 d;
    for (int64_t r = 0; r < n; ++r, in += stride) {
      float* out = buffer + r * width;
      if (dtype == DType::f16) {
        int64_t i = 0;
        for (; i + kLanes <= width; i += kLanes) hn::StoreU(load_half(in + 2 * i), d, out + i);
        if (i < width) {
          const size_t left = static_cast<size_t>(width - i);
          hn::StoreN(load_half_n(in + 2 * i, left), d, out + i, left);
        }
      } else {
        const hn::Rebind<int8_t, F32> d8;
        const hn::Rebind<hwy::float16_t, hn::CappedTag<float, 1>> d_half;
        for (int64_t i = 0; i < width; i += 32) {
          const uint8_t* block = in + i / 32 * 34;
          const float scale = hn::GetLane(hn::PromoteTo(
              hn::CappedTag<float, 1>(), hn::LoadU(d_half, reinterpret_cast<const hwy::float16_t*>(block))));
          for (int j = 0; j < 32; j += kLanes) {
            const VI q = hn::PromoteTo(I32(), hn::LoadU(d8, reinterpret_cast<const int8_t*>(block) + 2 + j));
            hn::StoreU(hn::Mul(hn::ConvertTo(d, q), hn::Set(d, scale)), d, out + i + j);
          }
        }
      }
    }
    return buffer;
  }
};

inline constexpr float kMasked = -3e38f;     // score of a key that is not seen
inline constexpr float kNoMaximum = -1e30f;  // running maximum before the first key: e^(kMasked - kNoMaximum) is 0

// Scores of keys [0, n) for kLanes queries: s[key][lane], and their maximum.
template <int kTile>
HWY_INLINE void score_tile(const float* qt, const float* k, int64_t row_floats, int64_t width, float* s) {
  const F32 d;
  VF acc[kTile];
  for (int j = 0; j < kTile; ++j) acc[j] = hn::Zero(d);
  for (int64_t i = 0; i < width; ++i) {
    const VF qv = hn::LoadU(d, qt + i * kQueries);
    HWY_UNROLL()
    for (int j = 0; j < kTile; ++j) acc[j] = hn::MulAdd(qv, hn::Set(d, k[j * row_floats + i]), acc[j]);
  }
  for (int j = 0; j < kTile; ++j) hn::StoreU(acc[j], d, s + j * kQueries);
}

// o[i][lane] += sum over keys of p[key][lane] * v[key][i] for kTile columns i.
template <int kTile>
HWY_INLINE void value_tile(const float* p, const float* v, int64_t row_floats, int64_t n, float* ot) {
  const F32 d;
  VF acc[kTile];
  for (int j = 0; j < kTile; ++j) acc[j] = hn::LoadU(d, ot + j * kQueries);
  for (int64_t key = 0; key < n; ++key) {
    const VF pv = hn::LoadU(d, p + key * kQueries);
    HWY_UNROLL()
    for (int j = 0; j < kTile; ++j) acc[j] = hn::MulAdd(pv, hn::Set(d, v[key * row_floats + j]), acc[j]);
  }
  for (int j = 0; j < kTile; ++j) hn::StoreU(acc[j], d, ot + j * kQueries);
}

// The same for a few queries from lane 0 of p and o on (decode: the heads of one group), with the width across the
// lanes. The sum runs over the keys in the same order, so the bits are those of value_tile, which would leave most
// lanes idle.
template <int kCount>
HWY_INLINE void value_rows(const float* p, const float* v, int64_t row_floats, int64_t n, int64_t width, float* o) {
  const F32 d;
  for (int64_t i = 0; i < width; i += kLanes) {
    const size_t left = static_cast<size_t>(width - i);
    const int64_t here = std::min<int64_t>(kLanes, width - i);
    alignas(64) float rows[kCount][kQueries] = {};
    VF acc[kCount];
    for (int q = 0; q < kCount; ++q) {
      for (int64_t j = 0; j < here; ++j) rows[q][j] = o[(i + j) * kQueries + q];
      acc[q] = hn::Load(d, rows[q]);
    }
    for (int64_t key = 0; key < n; ++key) {
      const VF vv = hn::LoadN(d, v + key * row_floats + i, left);
      HWY_UNROLL()
      for (int q = 0; q < kCount; ++q) acc[q] = hn::MulAdd(hn::Set(d, p[key * kQueries + q]), vv, acc[q]);
    }
    for (int q = 0; q < kCount; ++q) {
      hn::Store(acc[q], d, rows[q]);
      for (int64_t j = 0; j < here; ++j) o[(i + j) * kQueries + q] = rows[q][j];
    }
  }
}

// Softmax of one block: s becomes p; maximum, total and outputs of the lanes are brought to the new maximum.
HWY_INLINE void softmax_block(float* s, int64_t n, int64_t first, const int32_t* low, const int32_t* high, float cap,
                              float* maximum, float* total, float* ot, int64_t width) {
  const F32 d;
  const I32 di;
  const VI lo = hn::LoadU(di, low), hi = hn::LoadU(di, high);
  const VF old = hn::LoadU(d, maximum);
  VF top = old;
  for (int64_t key = 0; key < n; ++key) {
    VF v = hn::LoadU(d, s + key * kQueries);
    if (cap > 0) v = hn::Mul(hn::Set(d, cap), hn::Tanh(d, hn::Mul(v, hn::Set(d, 1 / cap))));
    const VI at = hn::Set(di, static_cast<int32_t>(first + key));
    const auto seen = hn::RebindMask(d, hn::And(hn::Ge(at, lo), hn::Le(at, hi)));
    v = hn::IfThenElse(seen, v, hn::Set(d, kMasked));
    hn::StoreU(v, d, s + key * kQueries);
    top = hn::Max(top, v);
  }
  const VF factor = hn::Exp(d, hn::Sub(old, top));
  VF sum = hn::Mul(hn::LoadU(d, total), factor);
  for (int64_t key = 0; key < n; ++key) {
    const VF p = hn::Exp(d, hn::Sub(hn::LoadU(d, s + key * kQueries), top));
    hn::StoreU(p, d, s + key * kQueries);
    sum = hn::Add(sum, p);
  }
  hn::StoreU(top, d, maximum);
  hn::StoreU(sum, d, total);
  if (!hn::AllTrue(d, hn::Eq(factor, hn::Set(d, 1.0f)))) {
    for (int64_t i = 0; i < width; ++i) {
      hn::StoreU(hn::Mul(hn::LoadU(d, ot + i * kQueries), factor), d, ot + i * kQueries);
    }
  }
}

// Takes the softmax of later keys into that of earlier ones.
HWY_INLINE void merge(const Partial& into, const Partial& later, int64_t width) {
  const F32 d;
  for (int part = 0; part < kQueries; part += kLanes) {
    const VF old = hn::LoadU(d, into.maximum + part), other = hn::LoadU(d, later.maximum + part);
    const VF top = hn::Max(old, other);
    const VF keep = hn::Exp(d, hn::Sub(old, top)), take = hn::Exp(d, hn::Sub(other, top));
    const auto mix = [&](float* a, const float* b) HWY_ATTR {
      hn::StoreU(hn::MulAdd(hn::LoadU(d, b), take, hn::Mul(hn::LoadU(d, a), keep)), d, a);
    };
    hn::StoreU(top, d, into.maximum + part);
    mix(into.total + part, later.total + part);
    for (int64_t i = 0; i < width; ++i) mix(into.o + i * kQueries + part, later.o + i * kQueries + part);
  }
}

HWY_INLINE void clear(const Partial& partial, int64_t width) {
  std::fill_n(partial.maximum, kQueries, kNoMaximum);
  std::fill_n(partial.total, kQueries * (width + 1), 0.0f);
}

// Lanes of one block of queries of kv head `head` that share a slot: queries [begin, end), lane 0 is query `origin`.
// (Query j is head j % group of the group at token j / group.)
struct Run {
  int64_t head, origin, begin, end;
};

HWY_INLINE int64_t query_row(const AttentionArgs& a, int64_t head, int64_t query) {
  return (query / a.group * a.heads + head * a.group + query % a.group) * a.width;
}

// Adds the softmax over keys [key_begin, key_end) (segment bounds) for the run's lanes to `result`.
HWY_INLINE void attend(const AttentionArgs& a, const Attrs& attrs, const Run& run, int64_t key_begin, int64_t key_end,
                       float* scratch, const Partial& result) {
  const int64_t width = a.width;
  float *qt = scratch, *s = qt + width * kQueries, *buffer = s + kKeys * kQueries;
  const Partial segment(buffer + kKeys * width);
  alignas(64) int32_t low[kQueries], high[kQueries];
  std::fill_n(qt, width * kQueries, 0.0f);
  int64_t first = key_end, last = key_begin - 1;
  for (int64_t lane = 0; lane < kQueries; ++lane) {
    low[lane] = 0;
    high[lane] = -1;
    const int64_t query = run.origin + lane;
    if (query < run.begin || query >= run.end) continue;
    high[lane] = a.cells ? a.cells[query / a.group] : static_cast<int32_t>(a.keys) - 1;
    if (attrs.window > 0) low[lane] = static_cast<int32_t>(std::max<int64_t>(0, high[lane] - attrs.window + 1));
    first = std::min<int64_t>(first, low[lane]);
    last = std::max<int64_t>(last, high[lane]);
    const float* q = a.q.as<float>() + query_row(a, run.head, query);
    for (int64_t i = 0; i < width; ++i) qt[i * kQueries + lane] = q[i] * attrs.scale;
  }
  first = std::max(first, key_begin);
  last = std::min(last, key_end - 1);
  HeadRows keys{a.k.as<uint8_t>(), a.k.dtype, row_bytes(a.k.dtype, width), width}, values = keys;
  values.base = a.v.as<uint8_t>();
  if (a.cells) {
    const int64_t offset = (a.slots[run.begin / a.group] * a.kv_heads + run.head) * a.keys * keys.stride;
    keys.base += offset;
    values.base += offset;
  } else {
    keys.base += run.head * keys.stride;
    values.base += run.head * values.stride;
    keys.stride = values.stride = a.kv_heads * keys.stride;
  }
  const int lane_begin = static_cast<int>(run.begin - run.origin), lane_end = static_cast<int>(run.end - run.origin);
  const int part_begin = lane_begin / kLanes * kLanes;
  bool open = false;
  for (int64_t block = first / kKeys * kKeys; block <= last; block += kKeys) {
    if (!open || block % kSegment == 0) {
      if (open) merge(result, segment, width);
      clear(segment, width);
      open = true;
    }
    const int64_t n = std::min(kKeys, last + 1 - block);
    int64_t row_floats;
    const float* k = keys.fetch(block, n, buffer, row_floats);
    for (int part = part_begin; part < lane_end; part += kLanes) {
      int64_t key = 0;
      for (; key + 8 <= n; key += 8) {
        score_tile<8>(qt + part, k + key * row_floats, row_floats, width, s + key * kQueries + part);
      }
      for (; key < n; ++key) {
        score_tile<1>(qt + part, k + key * row_floats, row_floats, width, s + key * kQueries + part);
      }
      softmax_block(s + part, n, block, low + part, high + part, attrs.cap, segment.maximum + part,
                    segment.total + part, segment.o + part, width);
    }
    const float* v = values.fetch(block, n, buffer, row_floats);
    float *p = s + lane_begin, *o = segment.o + lane_begin;
    switch (lane_end - lane_begin) {
      case 1:
        value_rows<1>(p, v, row_floats, n, width, o);
        continue;
      case 2:
        value_rows<2>(p, v, row_floats, n, width, o);
        continue;
      case 3:
        value_rows<3>(p, v, row_floats, n, width, o);
        continue;
      case 4:
        value_rows<4>(p, v, row_floats, n, width, o);
        continue;
      default:
        break;
    }
    for (int part = part_begin; part < lane_end; part += kLanes) {
      int64_t i = 0;
      for (; i + 8 <= width; i += 8) value_tile<8>(s + part, v + i, row_floats, n, segment.o + i * kQueries + part);
      for (; i < width; ++i) value_tile<1>(s + part, v + i, row_floats, n, segment.o + i * kQueries + part);
    }
  }
  if (open) merge(result, segment, width);
}

HWY_INLINE void store(const AttentionArgs& a, int64_t head, int64_t begin, int64_t end, const Partial& result,
                      float* y) {
  for (int64_t query = begin; query < end; ++query) {
    const int64_t lane = query - begin;
    float* out = y + query_row(a, head, query);
    const float inverse = result.total[lane] > 0 ? 1 / result.total[lane] : 0;
    for (int64_t i = 0; i < a.width; ++i) out[i] = result.o[i * kQueries + lane] * inverse;
  }
}

void attention_run(const CpuCall& call, int64_t begin, int64_t end, int worker) {
  const AttentionArgs a(call);
  const AttentionScratch layout(a.width, a.kv_heads, a.segments, call.workers);
  float* scratch = reinterpret_cast<float*>(call.scratch.data() + layout.workers) + worker * layout.worker_floats;
  float* partials = reinterpret_cast<float*>(call.scratch.data() + layout.partials);
  const int64_t partial_floats = Partial::floats(a.width), own = layout.worker_floats - partial_floats;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t head = i / a.segments % a.kv_heads, segment = i % a.segments;
    const int64_t first = i / (a.segments * a.kv_heads) * kQueries;
    const int64_t last = std::min(first + kQueries, a.tokens * a.group);
    float* head_partials = partials + head * a.segments * partial_floats;
    const Partial result(a.segments > 1 ? head_partials + segment * partial_floats : scratch + own);
    clear(result, a.width);
    for (int64_t run = first; run < last;) {
      // Rows of different slots read different keys: a run ends where the slot changes.
      int64_t next = run + 1;
      while (next < last && (!a.slots || a.slots[next / a.group] == a.slots[run / a.group])) ++next;
      const int64_t key_begin = a.segments > 1 ? segment * kSegment : 0;
      const int64_t key_end = a.segments > 1 ? std::min(a.keys, key_begin + kSegment) : a.keys;
      attend(a, call.attrs, {head, first, run, next}, key_begin, key_end, scratch, result);
      run = next;
    }
    if (a.segments == 1) {
      store(a, head, first, last, result, call.out[0].as<float>());
    } else if (finished_segments(call, head).fetch_add(1, std::memory_order_acq_rel) + 1 == a.segments) {
      const Partial sum(scratch + own);
      clear(sum, a.width);
      for (int64_t j = 0; j < a.segments; ++j) merge(sum, Partial(head_partials + j * partial_floats), a.width);
      store(a, head, first, last, sum, call.out[0].as<float>());
    }
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(attention_run)
bool supports(const OpCall& call, const Caps&) {
  const DType keys = call.in[1].dtype;
  return call.in[0].dtype == DType::f32 && keys == call.in[2].dtype &&
         (keys == DType::f32 || (call.in[1].shape.rank == 4 && (keys == DType::f16 || keys == DType::q8_0)));
}
int64_t items(const CpuCall& call) {
  const AttentionArgs a(call);
  if (a.segments > 1) {
    for (int64_t head = 0; head < a.kv_heads; ++head) finished_segments(call, head).store(0, std::memory_order_relaxed);
  }
  return a.kv_heads * a.query_blocks * a.segments;
}
int64_t scratch(const OpCall& call, std::span<const int64_t> bounds, int workers) {
  const Shape& keys = call.in[1].shape;
  const Dim& cells = keys.rank == 4 ? keys[2] : keys[0];
  const int64_t most = cells.count * (cells.symbol < 0 ? 1 : bounds[cells.symbol]);
  return AttentionScratch(keys.back().count, keys[1].count, div_up(most, kSegment), workers).bytes;
}
}  // namespace

extern const Kernel kAttention{.name = "attention.online",
                               .op = Op::attention,
                               .supports = supports,
                               .items = items,
                               .run = attention_run,
                               .scratch_bytes = scratch};
}  // namespace weft
#endif
