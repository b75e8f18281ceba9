// What the sampling kernels share: the options and the state of a run, the order of logits, weights and their sums.
// The kernels give kVocab, kSlice (logits a workgroup looks at, a multiple of 256, at most 2048) and kSlices. All have
// workgroups of 256. src/gpu/gpu_sampler.cc has the other half of the layouts.

struct Options {
  flags: u32,
  top_k: u32,
  window: u32,    // tokens that penalties look back on; 0: all
  best: u32,      // entries of the list of best logprobs
  top_p: vec2<u32>,  // in units of 2^-64, low word first
  seed: vec2<u32>,
  first_draw: vec2<u32>,
  scale: f32,     // 1 / temperature
  min_p: f32,
  repeat_penalty: f32,
  frequency_penalty: f32,
  presence_penalty: f32,
  unused: f32,
}
const kBias = 1u; const kPenalties = 2u; const kTopK = 4u; const kTopP = 8u; const kMinP = 16u; const kLogprobs = 32u;
const kDraws = 64u;    // temperature > 0
const kRanked = 128u;  // drawn in order of rank (some of top-k, top-p, min-p), else in order of id

@group(0) @binding(0) var<storage, read> options: Options;
// What one dispatch leaves for later ones.
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
const kSampled = 0u;         // tokens of this run so far
const kHistorySize = 1u; const kHistoryOldest = 2u;
const kDrawnKey = 3u; const kDrawnTie = 4u;  // the draw: order key, and which of the logits that have it, from 1
const kFound = 8u;           // of each select and level: see sample_selects.wgsl

// The histograms of sample_selects.wgsl: seven, each of counts, low words and high words of sums.
const kBins = 2048u;
const kRegion = 3u * kBins;
const kMinPMass = 7u * kRegion;  // two words: mass of what min-p keeps
const kHistogramWords = kMinPMass + 2u;

fn has(flag: u32) -> bool { return (options.flags & flag) != 0u; }

// Order keys: unsigned numbers in the order of the floats. NaN is below all, -inf the first above it.
const kNotANumber = 0u; const kMinusInfinity = 0x007fffffu; const kInfinity = 0xff800000u;
fn key_of(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return kNotANumber; }
  if (bits == 0x80000000u) { return 0x80000000u; }  // -0 is 0
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}
fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u)); }
fn is_finite(key: u32) -> bool { return key > kMinusInfinity && key < kInfinity; }

// e^x for x <= 0; 0 below -87. As src/sample/softmax.cc, with fused multiply-adds: nothing is left for a compiler to fuse.
fn exp_negative(x: f32) -> f32 {
  if (!(x >= -87.0)) { return 0.0; }
  let n = floor(fma(x, 1.44269504, 0.5));
  let r = fma(n, 2.12194440e-4, fma(n, -0.693359375, x));
  var y = 1.0 / 5040.0;
  y = fma(y, r, 1.0 / 720.0);
  y = fma(y, r, 1.0 / 120.0);
  y = fma(y, r, 1.0 / 24.0);
  y = fma(y, r, 1.0 / 6.0);
  y = fma(y, r, 0.5);
  y = fma(y, r, 1.0);
  y = fma(y, r, 1.0);
  return y * bitcast<f32>(u32(i32(n) + 127) << 23u);
}

// 64-bit numbers, low word first.
fn wide_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}
fn wide_less(a: vec2<u32>, b: vec2<u32>) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }
fn multiply(a: u32, b: u32) -> vec2<u32> {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let low = al * bl;
  let middle = ah * bl + (low >> 16u);  // at most 0xffff * 0xffff + 0xffff
  let middle2 = al * bh + (middle & 0xffffu);
  return vec2<u32>(a * b, ah * bh + (middle >> 16u) + (middle2 >> 16u));
}
fn wide_times(a: vec2<u32>, b: u32) -> vec2<u32> {
  let low = multiply(a.x, b);
  return vec2<u32>(low.x, low.y + a.y * b);
}
// a * b / 2^64, and in z whether there is a remainder.
fn wide_share(a: vec2<u32>, b: vec2<u32>) -> vec3<u32> {
  let ll = multiply(a.x, b.x);
  let lh = wide_add(multiply(a.x, b.y), vec2<u32>(ll.y, 0u));
  let hl = wide_add(multiply(a.y, b.x), vec2<u32>(lh.x, 0u));
  let hh = wide_add(wide_add(multiply(a.y, b.y), vec2<u32>(lh.y, 0u)), vec2<u32>(hl.y, 0u));
  return vec3<u32>(hh, select(0u, 1u, (ll.x | hl.x) != 0u));
}

// A weight from 0 to 1 in units of 2^-40: what is left below has a share of the sum that no draw would notice.
fn fixed_point(w: f32) -> vec2<u32> {
  let high = floor(w * 256.0);
  return vec2<u32>(u32((w * 256.0 - high) * 4294967296.0), u32(high));
}
fn weight_at(key: u32, top: u32) -> f32 {
  if (!is_finite(key) || !is_finite(top)) { return 0.0; }
  return exp_negative((value_of(key) - value_of(top)) * options.scale);
}
fn mass_at(key: u32, top: u32) -> vec2<u32> { return fixed_point(weight_at(key, top)); }

// Draw number first_draw + sampled of Philox4x32-10 keyed with the seed: 53 random bits as a fraction of 2^64.
fn draw_bits() -> vec2<u32> {
  let n = wide_add(options.first_draw, vec2<u32>(state[kSampled], 0u));
  var counter = vec4<u32>(n, 0u, 0u);
  var key = options.seed;
  for (var round = 0u; round < 10u; round++) {
    let a = multiply(0xD2511F53u, counter.x);
    let b = multiply(0xCD9E8D57u, counter.z);
    counter = vec4<u32>(b.y ^ counter.y ^ key.x, b.x, a.y ^ counter.w ^ key.y, a.x);
    key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return vec2<u32>(counter.y & 0xfffff800u, counter.x);
}
// The smallest mass that a draw among `kept` must reach: above the drawn share of it.
fn drawn_limit(kept: vec2<u32>) -> vec2<u32> {
  return wide_add(wide_share(kept, draw_bits()).xy, vec2<u32>(1u, 0u));
}
