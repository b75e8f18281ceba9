// linear and linear_add over weights in the layout rows16 in WebAssembly, where products of bytes are not an
// instruction: the widest is i32x4.dot_i16x8_s, eight products of 16 bits added in pairs. It is given the weights as
// they lie, two or four in each 16 bits, and the activations are prepared once a step so that what does not belong
// cancels:
//
//   q8_0: word = a + 256 b
//         word * x + (word >> 8) * (y - 256 x) = a x + b y
//   q4_0: word = a + 16 b + 256 c + 4096 d
//         word * x + (word >> 4) * (y - 16 x) + (word >> 8) * (z - 16 y) + (word >> 12) * (w - 16 z)
//           = a x + b y + c z + d w
//
// with arithmetic shifts, the highest part signed and the others with their offset, which starts the sum. All is exact,
// so that the bits of a result do not depend on the tile. Widening the weights instead costs an operation for each
// eight of them, here it is one for 16 (Q8_0) and three for 32 (Q4_0).
//
// One thread of an Emerald Rapids in V8 13.6: 31 billion multiply-adds a second of prefill in both formats. Relaxed
// SIMD (i32x4.relaxed_dot_i8x16_i7x16_add, exact for nibbles and for activations split by sign) gave 70 for Q4_0 and 36
// for Q8_0 there, where it is one instruction (AVX-VNNI); on x86 without it, it is three for 16 products and Q8_0,
// which needs it twice, would lose. Not used: it takes a module of its own beside each of the two.
#ifdef __wasm__
#include <wasm_simd128.h>

#include <cstring>

#include "base/half.h"
#include "ops/linear/linear_args.h"
#include "ops/linear/rows16.h"

namespace weft {
namespace {

using rows16::kScaleBytes;

// Activations of a block for kTokens rows: for each, 64 bytes of pairs as above: kParts x (pairs of the block's quads);
// then the scales of all (f32) and the starts of their sums (i32).
constexpr int64_t kTile = 4;
constexpr int64_t kPairBytes = 64, kTokenBytes = kPairBytes + 8;

int64_t prepared_bytes(int64_t tokens, int64_t k) { return tokens * (k / 32) * kTokenBytes; }

struct Q8 {
  static constexpr int kBytes = rows16::kBlockQ8, kQuads = 8, kParts = 2;
  static v128_t part(v128_t words, int part) { return part == 0 ? words : wasm_i16x8_shr(words, 8); }
  // Columns 0, 2, 4 … and 1, 3, 5 … of the block's halves: what the parts multiply, and the start of the sum.
  static int32_t pairs(const v128_t even[2], const v128_t odd[2], v128_t out[4]) {
    v128_t sum = wasm_i16x8_splat(0);
    for (int half = 0; half < 2; ++half) {
      out[half] = even[half];
      out[2 + half] = wasm_i16x8_sub(odd[half], wasm_i16x8_shl(even[half], 8));
      sum = wasm_i16x8_add(sum, even[half]);
    }
    return -128 * total(sum);
  }
  static int32_t total(v128_t sums) {
    const v128_t four = wasm_i32x4_extadd_pairwise_i16x8(sums);
    const v128_t two = wasm_i32x4_add(four, wasm_i64x2_shr(four, 32));
    return wasm_i32x4_extract_lane(two, 0) + wasm_i32x4_extract_lane(two, 2);
  }
};

struct Q4 {
  static constexpr int kBytes = rows16::kBlockQ4, kQuads = 4, kParts = 4;
  static v128_t part(v128_t words, int part) { return part == 0 ? words : wasm_i16x8_shr(words, 4 * part); }
  static int32_t pairs(const v128_t even[2], const v128_t odd[2], v128_t out[4]) {
    const v128_t x[4] = {even[0], even[1], odd[0], odd[1]};
    out[0] = x[0];
    for (int i = 1; i < 4; ++i) out[i] = wasm_i16x8_sub(x[i], wasm_i16x8_shl(x[i - 1], 4));
    return -8 * Q8::total(wasm_i16x8_add(wasm_i16x8_add(x[0], x[1]), x[2]));
  }
};

// Rows of i8_32 become groups of kTile tokens, interleaved by blocks; the last T % kTile stay alone.
template <class Format>
void prepare(const LinearArgs& args, std::byte* out) {
  const int64_t blocks = args.k / 32, stride = row_bytes(DType::i8_32, args.k);
  for (int64_t t = 0; t < args.tokens; ++t) {
    const int64_t first = t / kTile * kTile;
    const bool whole = first + kTile <= args.tokens;
    const int64_t count = whole ? kTile : 1, at = whole ? t - first : 0;
    std::byte* to = out + prepared_bytes(whole ? first : t, args.k);
    const uint8_t* quants = args.x.as<uint8_t>() + t * stride;
    const uint8_t* scales = quants + args.k;
    for (int64_t b = 0; b < blocks; ++b, to += count * kTokenBytes) {
      v128_t even[2], odd[2], pairs[4];
      for (int half = 0; half < 2; ++half) {
        const v128_t words = wasm_v128_load(quants + b * 32 + half * 16);
        even[half] = wasm_i16x8_shr(wasm_i16x8_shl(words, 8), 8);
        odd[half] = wasm_i16x8_shr(words, 8);
      }
      const int32_t start = Format::pairs(even, odd, pairs);
      std::memcpy(to + at * kPairBytes, pairs, kPairBytes);
      std::memcpy(to + count * kPairBytes + at * 4, scales + b * 4, 4);
      std::memcpy(to + count * (kPairBytes + 4) + at * 4, &start, 4);
    }
  }
}

float param(const TensorRef& t, int64_t i) {
  if (t.dtype == DType::f16) return f16_to_f32(t.as<uint16_t>()[i]);
  if (t.dtype == DType::bf16) return bf16_to_f32(t.as<uint16_t>()[i]);
  return t.as<float>()[i];
}

struct Store {
  float* y;
  const float *bias, *residual;
  int64_t stride;
  void operator()(int64_t t, int64_t column, v128_t sum) const {
    if (bias) sum = wasm_f32x4_add(sum, wasm_v128_load(bias + column));
    if (residual) sum = wasm_f32x4_add(sum, wasm_v128_load(residual + t * stride + column));
    wasm_v128_store(y + t * stride + column, sum);
  }
};

// kTokens tokens from t0 on times 4 kVectors rows of the group from `row` on.
template <class Format, int kTokens, int kVectors>
inline __attribute__((always_inline)) void tile(const uint8_t* weight, const std::byte* x, int64_t blocks, int64_t t0,
                                                int64_t row, const Store& store) {
  v128_t sum[kTokens][kVectors];
  for (auto& of_token : sum)
    for (v128_t& s : of_token) s = wasm_f32x4_splat(0);
  const uint8_t* w = weight + row * 4;
  const uint8_t* scales = w;
  w += kScaleBytes;
  for (int64_t b = 0; b < blocks; ++b) {
    v128_t acc[kTokens][kVectors];
#pragma clang loop unroll(full)
    for (int t = 0; t < kTokens; ++t) {
      const v128_t start = wasm_v128_load32_splat(x + kTokens * (kPairBytes + 4) + t * 4);
      for (int v = 0; v < kVectors; ++v) acc[t][v] = start;
    }
    // Not unrolled: the compiler would move all loads of the block to its beginning, and most of them to the stack (22
    // instead of 30 billion multiply-adds a second). Tiles of 6 x 2, 8 x 1, 2 x 4 and 3 x 4 (tokens x vectors) are not
    // faster than 4 x 2.
#pragma clang loop unroll(disable)
    for (int quad = 0; quad < Format::kQuads; ++quad) {
      v128_t words[kVectors];
      for (int v = 0; v < kVectors; ++v) words[v] = wasm_v128_load(w + quad * 64 + v * 16);
#pragma clang loop unroll(full)
      for (int part = 0; part < Format::kParts; ++part) {
        v128_t weights[kVectors];
        for (int v = 0; v < kVectors; ++v) weights[v] = Format::part(words[v], part);
#pragma clang loop unroll(full)
        for (int t = 0; t < kTokens; ++t) {
          const v128_t pair = wasm_v128_load32_splat(x + t * kPairBytes + (part * Format::kQuads + quad) * 4);
          for (int v = 0; v < kVectors; ++v) {
            acc[t][v] = wasm_i32x4_add(acc[t][v], wasm_i32x4_dot_i16x8(weights[v], pair));
          }
        }
      }
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < kVectors; ++v) {
      const v128_t scale = wasm_v128_load(scales + v * 16);
#pragma clang loop unroll(full)
      for (int t = 0; t < kTokens; ++t) {
        const v128_t both = wasm_f32x4_mul(scale, wasm_v128_load32_splat(x + kTokens * kPairBytes + t * 4));
        sum[t][v] = wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(acc[t][v]), both), sum[t][v]);
      }
    }
    x += kTokens * kTokenBytes;
    w += Format::kBytes;
    scales += Format::kBytes;
  }
  for (int t = 0; t < kTokens; ++t)
    for (int v = 0; v < kVectors; ++v) store(t0 + t, row + 4 * v, sum[t][v]);
}

template <class Format>
void rows16_run(const CpuCall& call, int64_t begin, int64_t end, int) {
  const LinearArgs args(call);
  const int64_t blocks = args.k / 32;
  for (int64_t i = begin; i < end; ++i) {
    const LinearItem item(args, i);
    const int64_t n0 = item.group * 16;
    float bias[16];
    if (args.bias) {
      for (int j = 0; j < 16; ++j) bias[j] = param(*args.bias, n0 + j);
    }
    const Store store{args.y + n0, args.bias ? bias : nullptr,
                      args.residual ? args.residual->as<float>() + n0 : nullptr, args.n};
    const uint8_t* weight = args.weight.as<uint8_t>() + item.group * blocks * Format::kBytes;
    int64_t t = item.token_begin;
    // A stretch begins at a whole tile.
    for (; t + kTile <= item.token_end; t += kTile) {
      const std::byte* x = call.scratch.data() + prepared_bytes(t, args.k);
      for (int row = 0; row < 16; row += 8) tile<Format, kTile, 2>(weight, x, blocks, t, row, store);
    }
    for (; t < item.token_end; ++t) {
      tile<Format, 1, 4>(weight, call.scratch.data() + prepared_bytes(t, args.k), blocks, t, 0, store);
    }
  }
}

template <class Format>
int64_t items(const CpuCall& call) {
  const LinearArgs args(call);
  prepare<Format>(args, call.scratch.data());
  return linear_items(call);
}

template <DType kType>
bool supports(const OpCall& call, const Caps&) {
  return is_linear_with(call, DType::i8_32) && call.in[1].dtype == kType && call.layout == WeightLayout::rows16;
}

int64_t scratch(const OpCall& call, std::span<const int64_t> bounds, int) {
  const Dim& tokens = call.in[0].shape[0];
  return prepared_bytes(tokens.count * (tokens.symbol < 0 ? 1 : bounds[tokens.symbol]), call.in[0].shape[1].count);
}

template <Op kOp, class Format, DType kType>
constexpr Kernel kernel(std::string_view name) {
  return {.name = name,
          .op = kOp,
          .supports = supports<kType>,
          .items = items<Format>,
          .run = rows16_run<Format>,
          .scratch_bytes = scratch};
}

}  // namespace

extern const Kernel kLinearRows16Q8 = kernel<Op::linear, Q8, DType::q8_0>("linear.rows16_q8_0");
extern const Kernel kLinearRows16Q4 = kernel<Op::linear, Q4, DType::q4_0>("linear.rows16_q4_0");
extern const Kernel kLinearAddRows16Q8 = kernel<Op::linear_add, Q8, DType::q8_0>("linear_add.rows16_q8_0");
extern const Kernel kLinearAddRows16Q4 = kernel<Op::linear_add, Q4, DType::q4_0>("linear_add.rows16_q4_0");
}  // namespace weft
#endif
