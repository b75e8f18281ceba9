// What the kernels of linear and linear_add share beside the weights: rows of x, and y = sum + bias + residual.
// The kernel gives kRows (of the part of the weight that is bound, which begins with row kFirst of kWidth, N), kTokens and
// kTokensWord, kXQuantized, `alias XType`, kBiasFormat and kResidual.

// Rows of f32 or of i8_32, as vec4<u32>; as u32 where rows do not begin at multiples of 16 bytes: K not a multiple of 4,
// an odd number of blocks.
@group(0) @binding(0) var<storage, read_write> x: array<XType>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> step: array<i32>;
@group(0) @binding(4) var<storage, read> bias: array<u32>;  // read if kBiasFormat is not kNoBias
@group(0) @binding(5) var<storage, read_write> residual: array<f32>;  // read if kResidual

const kNoBias = 255u;
const kXWide = kColumns % select(4u, 64u, kXQuantized) == 0u;

fn tokens() -> u32 { return kTokens * u32(step[kTokensWord]); }

// Four words of x from number i on, a multiple of 4 where kXWide.
fn x_words(i: u32) -> vec4<u32> {
  if (kXWide) {
    return vec4<u32>(x[i >> 2u]);
  }
  return vec4<u32>(vec4<u32>(x[i]).x, vec4<u32>(x[i + 1u]).x, vec4<u32>(x[i + 2u]).x, vec4<u32>(x[i + 3u]).x);
}
fn x_word(i: u32) -> u32 {
  if (kXWide) {
    return vec4<u32>(x[i >> 2u])[i & 3u];
  }
  return vec4<u32>(x[i]).x;
}

// f32: values k to k + 3 of row t, k a multiple of 4; 0 beyond column K.
fn load_x4(t: u32, k: u32) -> vec4<f32> {
  if (k + 3u < kColumns) {
    return bitcast<vec4<f32>>(x_words(t * kColumns + k));
  }
  var v = vec4<f32>();
  if (!kXWide) {
    for (var i = 0u; k + i < kColumns; i++) {
      v[i] = bitcast<f32>(x_word(t * kColumns + k + i));
    }
  }
  return v;
}

// i8_32: half h of block b of row t as words of four; scale; minus the sum of the block's integers.
fn load_x_codes(t: u32, b: u32, h: u32) -> vec4<u32> { return x_words(t * 10u * kBlocks + 8u * b + 4u * h); }
fn load_x_scale(t: u32, b: u32) -> f32 { return bitcast<f32>(x_word((t * 10u + 8u) * kBlocks + b)); }
fn load_x_negsum(t: u32, b: u32) -> i32 { return bitcast<i32>(x_word((t * 10u + 9u) * kBlocks + b)); }

fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}
fn negated_sum(q: vec4<u32>) -> i32 { return -dot16(q, vec4<u32>(0x01010101u)); }

// Row `row` of the part.
fn store_y(t: u32, row: u32, sum: f32) {
  let n = kFirst + row;
  var value = sum;
  if (kBiasFormat == kF32) {
    value += bitcast<f32>(bias[n]);
  } else if (kBiasFormat != kNoBias) {
    let word = bias[n >> 1u] >> (16u * (n & 1u));
    value += select(unpack2x16float(word).x, bitcast<f32>(word << 16u), kBiasFormat == kBf16);
  }
  if (kResidual) {
    value += residual[t * kWidth + n];
  }
  y[t * kWidth + n] = value;
}
