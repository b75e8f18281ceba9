// linear and linear_add over weights in the layout rows16: Q8_0 and Q4_0, integer products. WebAssembly has its own:
// linear_rows16.simd128.cc.
#ifndef __wasm__
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/linear_rows16.cpu.cc"
#include "ops/linear/tile-inl.h"
#include "ops/simd.h"

HWY_BEFORE_NAMESPACE();
namespace weft::HWY_NAMESPACE {

// Q4_0 nibbles split in registers: for a few tokens, where each weight is used once or so.
struct NibblePanel {
  static constexpr int kUnits = 1;
  static constexpr bool kHasMin = false, kSmall = true;
  const uint8_t* base;
  HWY_INLINE VU8 quad(int64_t b, int q, int part) const {
    const VU8 bytes = hn::LoadU(U8(), base + b * rows16::kBlockQ4 + rows16::kScaleBytes + (q & 3) * 64 + part * 4);
    const VU8 low = hn::Set(U8(), uint8_t{15});
    if (q < 4) return hn::And(bytes, low);
    const hn::Repartition<uint16_t, I32> d16;
    return hn::And(hn::BitCast(U8(), hn::ShiftRight<4>(hn::BitCast(d16, bytes))), low);
  }
  HWY_INLINE VF scale(int64_t b, int, int part) const { return load_half(base + b * rows16::kBlockQ4 + part * 2); }
  HWY_INLINE VI correction(VI negsum) const { return hn::ShiftLeft<3>(negsum); }
  HWY_INLINE void prefetch(int64_t b, int part) const {
    prefetch_block<rows16::kBlockQ4>(base + b * rows16::kBlockQ4, part);
  }
};

// One group of Q4_0 as a Q8_0 panel without the offset of 128: unpacked once, used by all tokens of the item.
HWY_INLINE void widen_group(const uint8_t* in, int64_t blocks, uint8_t* out) {
  const NibblePanel panel{in};
  for (int64_t b = 0; b < blocks; ++b) {
    uint8_t* block = out + b * rows16::kBlockQ8;
    std::memcpy(block, in + b * rows16::kBlockQ4, rows16::kScaleBytes);
    for (int part = 0; part < 16; part += kLanes) {
      HWY_UNROLL(8)
      for (int q = 0; q < 8; ++q) {
        hn::StoreU(panel.quad(b, q, part), U8(), block + rows16::kScaleBytes + q * 64 + part * 4);
      }
    }
  }
}

void rows16_q8_0_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const LinearArgs args(call);
  const QuantizedRows x{args.x.as<uint8_t>(), args.k, row_bytes(DType::i8_32, args.k)};
  const int64_t blocks = args.k / 32;
  float bias16[16];
  for (int64_t i = begin; i < end; ++i) {
    const LinearItem item(args, i);
    const Rows16Panel<7, false> panel{args.weight.as<uint8_t>() + item.group * blocks * rows16::kBlockQ8};
    tiles(panel, blocks, x, item.token_begin, item.token_end, make_store(args, item.group, bias16));
  }
}

void rows16_q4_0_run(const CpuCall& call, int64_t begin, int64_t end, int worker) {
  const LinearArgs args(call);
  const QuantizedRows x{args.x.as<uint8_t>(), args.k, row_bytes(DType::i8_32, args.k)};
  const int64_t blocks = args.k / 32;
  uint8_t* wide = reinterpret_cast<uint8_t*>(call.scratch.data()) + worker * blocks * rows16::kBlockQ8;
  float bias16[16];
  for (int64_t i = begin; i < end; ++i) {
    const LinearItem item(args, i);
    const uint8_t* group = args.weight.as<uint8_t>() + item.group * blocks * rows16::kBlockQ4;
    const TileStore store = make_store(args, item.group, bias16);
    if (item.token_end - item.token_begin < 4) {
      for (int64_t t = item.token_begin; t < item.token_end; ++t) {
        tile<1>(NibblePanel{group}, blocks, x, t, store);
      }
    } else {
      widen_group(group, blocks, wide);
      tiles(Rows16Panel<3, true>{wide}, blocks, x, item.token_begin, item.token_end, store);
    }
  }
}

}  // namespace weft::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace weft {
namespace {
WEFT_SIMD_RUN(rows16_q8_0_run)
WEFT_SIMD_RUN(rows16_q4_0_run)

template <DType kType>
bool supports_rows16(const OpCall& call, const Caps&) {
  return is_linear_with(call, DType::i8_32) && call.in[1].dtype == kType && call.layout == WeightLayout::rows16;
}
int64_t q4_scratch(const OpCall& call, std::span<const int64_t>, int workers) {
  return call.in[1].shape[1].count / 32 * rows16::kBlockQ8 * workers;
}
}  // namespace

extern const Kernel kLinearRows16Q8{.name = "linear.rows16_q8_0",
                                    .op = Op::linear,
                                    .supports = supports_rows16<DType::q8_0>,
                                    .items = linear_items,
                                    .run = rows16_q8_0_run};
extern const Kernel kLinearRows16Q4{.name = "linear.rows16_q4_0",
                                    .op = Op::linear,
                                    .supports = supports_rows16<DType::q4_0>,
                                    .items = linear_items,
                                    .run = rows16_q4_0_run,
                                    .scratch_bytes = q4_scratch};
extern const Kernel kLinearAddRows16Q8{.name = "linear_add.rows16_q8_0",
                                       .op = Op::linear_add,
                                       .supports = supports_rows16<DType::q8_0>,
                                       .items = linear_items,
                                       .run = rows16_q8_0_run};
extern const Kernel kLinearAddRows16Q4{.name = "linear_add.rows16_q4_0",
                                       .op = Op::linear_add,
                                       .supports = supports_rows16<DType::q4_0>,
                                       .items = linear_items,
                                       .run = rows16_q4_0_run,
                                       .scratch_bytes = q4_scratch};
}  // namespace weft
#endif
#endif  // __wasm__
