// linear and linear_add over row-major weights of any block format with quantised activations: 16 rows at a time are
// unpacked to a panel of bytes, which all tokens of the item use. The mapped file is read in place.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/linear_panel.cpu.cc"
#include "ops/linear/formats-inl.h"
#include "ops/linear/tile-inl.h"
#include "ops/simd.h"

namespace weft {
#ifndef WEFT_LINEAR_PANEL_SCRATCH
#define WEFT_LINEAR_PANEL_SCRATCH
// Scratch of one worker for K columns, in this order.
struct PanelScratch {
  int64_t quants, scales, mins;  // [K / 32][8][16][4] u8; [units][16] f32 each
  int64_t rows, row_scales;      // four unpacked rows of K bytes; scales and mins of one row's units
  int64_t half_negsums;          // [kTokenStretch][K / 16] i32
  int64_t bytes;
  explicit PanelScratch(int64_t k) {
    int64_t at = 0;
    auto take = [&](int64_t size) {
      const int64_t begin = at;
      at += (size + 63) / 64 * 64;
      return begin;
    };
    quants = take(16 * k);
    scales = take(k / 16 * 64);
    mins = take(k / 16 * 64);
    rows = take(4 * k);
    row_scales = take(k / 16 * 8);
    half_negsums = take(kTokenStretch * k / 4);
    bytes = at;
  }
};
#endif
}  // namespace weft

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

template <int kUnitCount, bool kMin, bool kSmallWeights>
struct BytePanel {
  static constexpr int kUnits = kUnitCount;
  static constexpr bool kHasMin = kMin, kSmall = kSmallWeights;
  const uint8_t* quants;
  const float *scales, *mins;
  int shift;
  HWY_INLINE VU8 quad(int64_t b, int q, int part) const {
    return hn::LoadU(U8(), quants + b * 512 + q * 64 + part * 4);
  }
  HWY_INLINE VF scale(int64_t b, int unit, int part) const {
    return hn::LoadU(F32(), scales + (b * kUnits + unit) * 16 + part);
  }
  // The activations' sums come negated, so the subtracted minimum is added.
  HWY_INLINE VF negmin(int64_t b, int unit, int part) const {
    return hn::LoadU(F32(), mins + (b * kUnits + unit) * 16 + part);
  }
  HWY_INLINE VI correction(VI negsum) const {
    if constexpr (kMin) return hn::Zero(I32());
    return hn::ShiftLeftSame(negsum, shift);
  }
  HWY_INLINE void prefetch(int64_t, int) const {}
};

// Four rows of k bytes become words of four columns, row beside row: out[quad][row], a quad every 64 bytes. In 4 x 4
// words with shuffles of 128 bits; word by word it was three quarters of the time of a decode step.
HWY_INLINE void interleave_rows(const uint8_t* rows, int64_t k, uint8_t* out) {
  const hn::FixedTag<uint32_t, 4> d;
  const hn::FixedTag<uint64_t, 2> d2;
  const hn::FixedTag<uint8_t, 16> d8;
  for (int64_t i = 0; i < k; i += 16) {
    const auto row = [&](int64_t r) HWY_ATTR { return hn::BitCast(d, hn::LoadU(d8, rows + r * k + i)); };
    const auto a = row(0), b = row(1), c = row(2), e = row(3);
    const auto ab0 = hn::BitCast(d2, hn::InterleaveLower(d, a, b)), ab1 = hn::BitCast(d2, hn::InterleaveUpper(d, a, b));
    const auto ce0 = hn::BitCast(d2, hn::InterleaveLower(d, c, e)), ce1 = hn::BitCast(d2, hn::InterleaveUpper(d, c, e));
    uint8_t* to = out + i * 16;
    hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d2, ab0, ce0)), d8, to);
    hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d2, ab0, ce0)), d8, to + 64);
    hn::StoreU(hn::BitCast(d8, hn::InterleaveLower(d2, ab1, ce1)), d8, to + 128);
    hn::StoreU(hn::BitCast(d8, hn::InterleaveUpper(d2, ab1, ce1)), d8, to + 192);
  }
}

HWY_INLINE void build_panel(const LinearArgs& args, int64_t group, const FormatTraits& traits, uint8_t* scratch,
                            const PanelScratch& layout) {
  const UnpackRow unpack = unpack_function(args.weight.dtype);
  const int64_t bytes = row_bytes(args.weight.dtype, args.k), units = args.k / traits.unit;
  uint8_t *quants = scratch + layout.quants, *rows = scratch + layout.rows;
  float *scales = reinterpret_cast<float*>(scratch + layout.scales),
        *mins = reinterpret_cast<float*>(scratch + layout.mins),
        *row_scales = reinterpret_cast<float*>(scratch + layout.row_scales), *row_mins = row_scales + units;
  for (int64_t r = 0; r < 16; ++r) {
    // Rows beyond the matrix repeat the last one; they are not stored.
    const int64_t source = std::min(group * 16 + r, args.n - 1);
    unpack(args.weight.as<uint8_t>() + source * bytes, args.k, rows + r % 4 * args.k, row_scales, row_mins);
    for (int64_t u = 0; u < units; ++u) scales[u * 16 + r] = row_scales[u];
    if (traits.has_min) {
      for (int64_t u = 0; u < units; ++u) mins[u * 16 + r] = row_mins[u];
    }
    if (r % 4 == 3) interleave_rows(rows, args.k, quants + (r - 3) * 4);
  }
}

void linear_panel_run(const CpuCall& call, int64_t begin, int64_t end, int worker) {
  const LinearArgs args(call);
  const FormatTraits traits = format_traits(args.weight.dtype);
  const PanelScratch layout(args.k);
  uint8_t* scratch = reinterpret_cast<uint8_t*>(call.scratch.data()) + worker * layout.bytes;
  int32_t* half_negsums = reinterpret_cast<int32_t*>(scratch + layout.half_negsums);
  QuantizedRows x{args.x.as<uint8_t>(), args.k, row_bytes(DType::i8_32, args.k)};
  const int64_t blocks = args.k / 32;
  float bias16[16];
  int64_t stretch = -1;
  for (int64_t i = begin; i < end; ++i) {
    const LinearItem item(args, i);
    if (traits.unit == 16 && item.token_begin != stretch) {
      stretch = item.token_begin;
      for (int64_t t = item.token_begin; t < item.token_end; ++t) {
        const int8_t* quants = reinterpret_cast<const int8_t*>(x.quants(t));
        int32_t* out = half_negsums + (t - item.token_begin) * (args.k / 16);
        for (int64_t u = 0; u < args.k / 16; ++u) {
          int32_t sum = 0;
          for (int j = 0; j < 16; ++j) sum -= quants[u * 16 + j];
          out[u] = sum;
        }
      }
      x.half_negsums = half_negsums - item.token_begin * (args.k / 16);
    }
    build_panel(args, item.group, traits, scratch, layout);
    const uint8_t* quants = scratch + layout.quants;
    const float *scales = reinterpret_cast<const float*>(scratch + layout.scales),
                *mins = reinterpret_cast<const float*>(scratch + layout.mins);
    const TileStore store = make_store(args, item.group, bias16);
    auto go = [&]<int kUnits, bool kMin, bool kSmall>() HWY_ATTR {
      tiles(BytePanel<kUnits, kMin, kSmall>{quants, scales, mins, traits.shift}, blocks, x, item.token_begin,
            item.token_end, store);
    };
    if (HWY_TARGET == HWY_AVX2 && args.weight.dtype == DType::q8_0) {  // elsewhere large weights are no other case
      go.template operator()<1, false, false>();
    } else if (traits.unit == 32) {
      traits.has_min ? go.template operator()<1, true, true>() : go.template operator()<1, false, true>();
    } else {
      traits.has_min ? go.template operator()<2, true, true>() : go.template operator()<2, false, true>();
    }
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(linear_panel_run)

bool supports_panel(const OpCall& call, const Caps&) {
  return is_linear_with(call, DType::i8_32) && is_block(call.in[1].dtype) && call.in[1].dtype != DType::i8_32 &&
         call.layout == WeightLayout::row_major;
}
int64_t panel_scratch(const OpCall& call, std::span<const int64_t>, int workers) {
  return PanelScratch(call.in[1].shape[1].count).bytes * workers;
}
}  // namespace

extern const Kernel kLinearPanel{.name = "linear.panel",
                                 .op = Op::linear,
                                 .supports = supports_panel,
                                 .items = linear_items,
                                 .run = linear_panel_run,
                                 .scratch_bytes = panel_scratch};
extern const Kernel kLinearAddPanel{.name = "linear_add.panel",
                                    .op = Op::linear_add,
                                    .supports = supports_panel,
                                    .items = linear_items,
                                    .run = linear_panel_run,
                                    .scratch_bytes = panel_scratch};
}  // namespace weft
#endif
