// attention with online softmax in f32, over caches of f32, f16 or q8_0 and over plain keys.
//
// An item is one kv head and up to 16 queries: heads of its group x consecutive tokens, one query a lane, so that each
// key and value is fetched once for the whole group and every sum is a plain chain of multiply-adds without sums across
// lanes. Keys are walked in blocks of 64 cells from cell 0 on; a block that a lane must not see changes none of its
// bits (p = 0, factor 1). So a query's result depends on its own range of cells only: not on T, chunks or threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention/attention.cpu.cc"
#include "ops/math-inl.h"
#include "ops/simd.h"

namespace weft {
#ifndef WEFT_ATTENTION_COMMON
#define WEFT_ATTENTION_COMMON
inline constexpr int64_t kQueries = 16;  // of an item
inline constexpr int64_t kKeys = 64;     // of a block

struct AttentionArgs {
  const TensorRef &q, &k, &v;
  const int32_t *slots, *cells;  // nullptr: plain keys
  int64_t tokens, heads, width, kv_heads, group, keys;
  int64_t query_blocks;

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
        query_blocks(div_up(tokens * group, kQueries)) {}
};
// Floats of scratch of one worker: q and o [D][16], scores [64][16], a block of keys or values [64][D].
inline int64_t attention_scratch_floats(int64_t width) { return width * (2 * kQueries + kKeys) + kKeys * kQueries; }
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

// Queries [begin, end) of kv head `head` (query j: token j / group, head j % group of the group), all of one slot.
HWY_INLINE void attend(const AttentionArgs& a, const Attrs& attrs, int64_t head, int64_t begin, int64_t end,
                       float* scratch, float* y) {
  const int64_t width = a.width;
  float *qt = scratch, *ot = qt + width * kQueries, *s = ot + width * kQueries, *buffer = s + kKeys * kQueries;
  alignas(64) int32_t low[kQueries], high[kQueries];
  alignas(64) float maximum[kQueries], total[kQueries];
  std::fill_n(qt, width * kQueries, 0.0f);
  std::fill_n(ot, width * kQueries, 0.0f);
  int64_t first = a.keys, last = -1;
  auto row_of = [&](int64_t query) { return (query / a.group * a.heads + head * a.group + query % a.group) * width; };
  for (int64_t lane = 0; lane < kQueries; ++lane) {
    maximum[lane] = kNoMaximum;
    total[lane] = 0;
    low[lane] = 0;
    high[lane] = -1;
    if (begin + lane >= end) continue;
    const int64_t token = (begin + lane) / a.group;
    high[lane] = a.cells ? a.cells[token] : static_cast<int32_t>(a.keys) - 1;
    if (attrs.window > 0) low[lane] = static_cast<int32_t>(std::max<int64_t>(0, high[lane] - attrs.window + 1));
    first = std::min<int64_t>(first, low[lane]);
    last = std::max<int64_t>(last, high[lane]);
    const float* q = a.q.as<float>() + row_of(begin + lane);
    for (int64_t i = 0; i < width; ++i) qt[i * kQueries + lane] = q[i] * attrs.scale;
  }
  HeadRows keys{a.k.as<uint8_t>(), a.k.dtype, row_bytes(a.k.dtype, width), width}, values = keys;
  values.base = a.v.as<uint8_t>();
  if (a.cells) {
    const int64_t offset = (a.slots[begin / a.group] * a.kv_heads + head) * a.keys * keys.stride;
    keys.base += offset;
    values.base += offset;
  } else {
    keys.base += head * keys.stride;
    values.base += head * values.stride;
    keys.stride = values.stride = a.kv_heads * keys.stride;
  }
  const int lanes = static_cast<int>(end - begin);
  for (int64_t block = first / kKeys * kKeys; block <= last; block += kKeys) {
    const int64_t n = std::min(kKeys, last + 1 - block);
    int64_t row_floats;
    const float* k = keys.fetch(block, n, buffer, row_floats);
    for (int part = 0; part < lanes; part += kLanes) {
      int64_t key = 0;
      for (; key + 8 <= n; key += 8) {
        score_tile<8>(qt + part, k + key * row_floats, row_floats, width, s + key * kQueries + part);
      }
      for (; key < n; ++key) {
        score_tile<1>(qt + part, k + key * row_floats, row_floats, width, s + key * kQueries + part);
      }
      softmax_block(s + part, n, block, low + part, high + part, attrs.cap, maximum + part, total + part, ot + part,
                    width);
    }
    const float* v = values.fetch(block, n, buffer, row_floats);
    for (int part = 0; part < lanes; part += kLanes) {
      int64_t i = 0;
      for (; i + 8 <= width; i += 8) value_tile<8>(s + part, v + i, row_floats, n, ot + i * kQueries + part);
      for (; i < width; ++i) value_tile<1>(s + part, v + i, row_floats, n, ot + i * kQueries + part);
    }
  }
  for (int64_t lane = 0; lane < lanes; ++lane) {
    float* out = y + row_of(begin + lane);
    const float inverse = total[lane] > 0 ? 1 / total[lane] : 0;
    for (int64_t i = 0; i < width; ++i) out[i] = ot[i * kQueries + lane] * inverse;
  }
}

void attention_run(const CpuCall& call, int64_t begin, int64_t end, int worker) {
  const AttentionArgs a(call);
  float* scratch = reinterpret_cast<float*>(call.scratch.data()) + worker * attention_scratch_floats(a.width);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t head = i % a.kv_heads, first = i / a.kv_heads * kQueries;
    const int64_t last = std::min(first + kQueries, a.tokens * a.group);
    for (int64_t run = first; run < last;) {
      // Rows of different slots read different keys: a run ends where the slot changes.
      int64_t next = run + 1;
      while (next < last && (!a.slots || a.slots[next / a.group] == a.slots[run / a.group])) ++next;
      attend(a, call.attrs, head, run, next, scratch, call.out[0].as<float>());
      run = next;
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
  return a.kv_heads * a.query_blocks;
}
int64_t scratch(const OpCall& call, std::span<const int64_t>, int workers) {
  return attention_scratch_floats(call.in[0].shape.back().count) * 4 * workers;
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
