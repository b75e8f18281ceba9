// Reading weight matrices of every type, as they lie after packing (ops/linear/planes.h says how). The kernel that
// uses this gives kFormat (the number of the DType), kColumns (K) and a Matrix for each matrix in `weights`.
//
// Block formats: load_block or load_half; w = scale * q - offset. f32, f16, bf16: load_float8. Any: load_values16.
// Rows and columns are not checked, except that floats beyond column K are 0.

@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;

// Where the planes begin in `weights`, in words. Float matrices have only `low`.
struct Matrix { low: u32, high: u32, scale: u32, sub: u32 }

// 32 values as words of four: 0-3 and 4-7. Scales and offsets of the first and the second 16 values.
struct Block { lo: vec4<u32>, hi: vec4<u32>, scale: vec2<f32>, offset: vec2<f32> }
// 16 of them.
struct Half { q: vec4<u32>, scale: f32, offset: f32 }
struct Scales { scale: vec2<f32>, offset: vec2<f32> }
struct Float8 { lo: vec4<f32>, hi: vec4<f32> }

const kF32 = 0u; const kF16 = 1u; const kBf16 = 2u;
const kQ4_0 = 7u; const kQ4_1 = 8u; const kQ5_0 = 9u; const kQ5_1 = 10u; const kQ8_0 = 11u;
const kQ2K = 12u; const kQ3K = 13u; const kQ4K = 14u; const kQ5K = 15u; const kQ6K = 16u;

const kIsBlock = kFormat >= kQ4_0;
const kSigned = kFormat == kQ8_0;     // codes are i8, else unsigned and below 64
const kHasMin = kFormat == kQ4_1 || kFormat == kQ5_1 || kFormat == kQ2K || kFormat == kQ4K || kFormat == kQ5K;
// The offset of formats without minimum, in codes.
const kCentre = select(select(select(select(0u, 32u, kFormat == kQ6K), 4u, kFormat == kQ3K), 16u, kFormat == kQ5_0), 8u,
                       kFormat == kQ4_0);
// Whether the halves of a block have scales of their own; else both are equal.
const kHalfScales = kFormat == kQ2K || kFormat == kQ3K || kFormat == kQ6K;
const kTwoBits = kFormat == kQ2K || kFormat == kQ3K;                                      // low plane
const kHighBit = kFormat == kQ5_0 || kFormat == kQ5_1 || kFormat == kQ5K || kFormat == kQ3K;  // high plane of 1 bit
const kHighShift = select(4u, 2u, kFormat == kQ3K);
const kBlocks = kColumns / 32u;

fn weight_word(i: u32) -> u32 { return weights[i >> 2u][i & 3u]; }

// What memory holds of a block, or of half a block where the format's codes are bytes: loaded and not yet looked at, so
// that a kernel can go on while it is on its way. Formats leave unused what they have not.
struct Raw { codes: vec4<u32>, high: vec4<u32>, scale: u32, sub: u32 }

// Block b of a row; half h (0, 1) of it is all that is loaded of q8_0, others load the whole block.
fn load_raw(m: Matrix, row: u32, b: u32, h: u32) -> Raw {
  let block = row * kBlocks + b;
  var raw: Raw;
  if (kFormat == kQ8_0) {
    raw.codes = weights[(m.low >> 2u) + 2u * block + h];
  } else {
    raw.codes = weights[(m.low >> 2u) + select(block, block >> 1u, kTwoBits)];
  }
  if (kHighBit) {
    raw.high.x = weight_word(m.high + block);
  }
  if (kFormat == kQ6K) {
    raw.high = weights[(m.high >> 2u) + (block >> 1u)];
  }
  if (kFormat == kQ8_0 || kFormat == kQ4_0 || kFormat == kQ5_0) {
    raw.scale = weight_word(m.scale + row * ((kBlocks + 1u) / 2u) + (b >> 1u));
  } else if (kFormat == kQ4_1 || kFormat == kQ5_1) {
    raw.scale = weight_word(m.scale + block);
  } else {
    raw.scale = weight_word(m.scale + row * (kBlocks / 8u) + (b >> 3u));
    raw.sub = weight_word(m.sub + row * (kBlocks / 2u) + (b >> 1u));
  }
  return raw;
}

// Half h of the two words of block b in 16 bytes of a 2-bit plane (its rows are whole pairs of blocks).
fn spread_pairs(both: vec4<u32>, b: u32, h: u32) -> vec4<u32> {
  let words = select(both.xy, both.zw, (b & 1u) == 1u);
  return (words.xyxy >> (vec4<u32>(0u, 0u, 2u, 2u) + vec4<u32>(4u * h))) & vec4<u32>(0x03030303u);
}

// Codes of half h of block b of a row.
fn raw_codes(raw: Raw, b: u32, h: u32) -> vec4<u32> {
  if (kFormat == kQ8_0) {
    return raw.codes;
  }
  var q: vec4<u32>;
  if (kTwoBits) {
    q = spread_pairs(raw.codes, b, h);
  } else {
    q = (raw.codes >> vec4<u32>(4u * h)) & vec4<u32>(0x0f0f0f0fu);
  }
  if (kHighBit) {
    let bits = (vec4<u32>(raw.high.x) >> (vec4<u32>(0u, 1u, 2u, 3u) + vec4<u32>(4u * h))) & vec4<u32>(0x01010101u);
    q |= bits << vec4<u32>(kHighShift);
  }
  if (kFormat == kQ6K) {
    q |= spread_pairs(raw.high, b, h) << vec4<u32>(4u);
  }
  return q;
}

fn raw_scales(raw: Raw, b: u32) -> Scales {
  let pair = unpack2x16float(raw.scale);
  if (kFormat == kQ8_0 || kFormat == kQ4_0 || kFormat == kQ5_0) {
    let d = select(pair.x, pair.y, (b & 1u) == 1u);
    return Scales(vec2<f32>(d), vec2<f32>(d * f32(kCentre)));
  }
  if (kFormat == kQ4_1 || kFormat == kQ5_1) {
    return Scales(vec2<f32>(pair.x), vec2<f32>(-pair.y));
  }
  let sub = raw.sub >> (16u * (b & 1u));
  if (kFormat == kQ2K) {
    let bytes = vec2<u32>(sub, sub >> 8u);
    return Scales(pair.x * vec2<f32>(bytes & vec2<u32>(15u)),
                  pair.y * vec2<f32>((bytes >> vec2<u32>(4u)) & vec2<u32>(15u)));
  }
  if (kFormat == kQ3K || kFormat == kQ6K) {
    let scale = pair.x * vec2<f32>(f32(extractBits(i32(sub), 0u, 8u)), f32(extractBits(i32(sub), 8u, 8u)));
    return Scales(scale, scale * f32(kCentre));
  }
  return Scales(vec2<f32>(pair.x * f32(sub & 255u)), vec2<f32>(pair.y * f32((sub >> 8u) & 255u)));  // q4_k, q5_k
}

// All of it; q8_0's halves lie apart.
fn load_block(m: Matrix, row: u32, b: u32) -> Block {
  let raw = load_raw(m, row, b, 0u);
  let s = raw_scales(raw, b);
  var hi: vec4<u32>;
  if (kFormat == kQ8_0) {
    hi = load_raw(m, row, b, 1u).codes;
  } else {
    hi = raw_codes(raw, b, 1u);
  }
  return Block(raw_codes(raw, b, 0u), hi, s.scale, s.offset);
}

// Half h (0, 1) of block b.
fn load_half(m: Matrix, row: u32, b: u32, h: u32) -> Half {
  let raw = load_raw(m, row, b, h);
  let s = raw_scales(raw, b);
  let second = h == 1u;
  return Half(raw_codes(raw, b, h), select(s.scale.x, s.scale.y, second),
              select(s.offset.x, s.offset.y, second));
}

// Codes as signed bytes around 0 where the format has a fixed offset and no minimum: q4_0, q5_0, q3_k, q6_k. They go
// with an offset of 0. Other formats' stay as they are (all fit i8).
fn centred(q: vec4<u32>) -> vec4<u32> {
  if (kCentre == 0u) {
    return q;
  }
  return (q + vec4<u32>((128u - kCentre) * 0x01010101u)) ^ vec4<u32>(0x80808080u);
}

// Four codes of a word as floats.
fn codes_to_f32(word: u32) -> vec4<f32> {
  if (kSigned) {
    return vec4<f32>(unpack4xI8(word));
  }
  return vec4<f32>(unpack4xU8(word));
}

// Two values of a word: the one in the low half first.
fn pair_to_f32(word: u32) -> vec2<f32> {
  if (kFormat == kBf16) {
    return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
  }
  return unpack2x16float(word);
}

// One value of a float matrix; 0 beyond column K.
fn load_float(m: Matrix, row: u32, column: u32) -> f32 {
  if (column >= kColumns) {
    return 0.0;
  }
  let i = row * kColumns + column;
  if (kFormat == kF32) {
    return bitcast<f32>(weight_word(m.low + i));
  }
  let pair = pair_to_f32(weight_word(m.low + (i >> 1u)));
  return select(pair.x, pair.y, (i & 1u) == 1u);
}

// Values 8g to 8g + 7 of a row of a float matrix; 0 beyond column K. One or two loads of 16 bytes where rows begin at
// multiples of 16 bytes, else one load a value.
fn load_float8(m: Matrix, row: u32, g: u32) -> Float8 {
  let c = 8u * g;
  if (kFormat == kF32 && kColumns % 4u == 0u) {
    let i = (m.low >> 2u) + row * (kColumns / 4u) + 2u * g;
    var f = Float8(vec4<f32>(), vec4<f32>());
    if (c < kColumns) {
      f.lo = bitcast<vec4<f32>>(weights[i]);
    }
    if (c + 4u < kColumns) {
      f.hi = bitcast<vec4<f32>>(weights[i + 1u]);
    }
    return f;
  }
  if (kFormat != kF32 && kColumns % 8u == 0u) {
    if (c >= kColumns) {
      return Float8(vec4<f32>(), vec4<f32>());
    }
    let v = weights[(m.low >> 2u) + row * (kColumns / 8u) + g];
    return Float8(vec4<f32>(pair_to_f32(v.x), pair_to_f32(v.y)), vec4<f32>(pair_to_f32(v.z), pair_to_f32(v.w)));
  }
  return Float8(vec4<f32>(load_float(m, row, c), load_float(m, row, c + 1u), load_float(m, row, c + 2u),
                          load_float(m, row, c + 3u)),
                vec4<f32>(load_float(m, row, c + 4u), load_float(m, row, c + 5u), load_float(m, row, c + 6u),
                          load_float(m, row, c + 7u)));
}

// Values 16h to 16h + 15 of a row of a matrix of any type. Floats beyond column K are 0; a block format has no such.
fn load_values16(m: Matrix, row: u32, h: u32) -> array<vec4<f32>, 4> {
  if (kIsBlock) {
    let half = load_half(m, row, h >> 1u, h & 1u);
    let offset = vec4<f32>(half.offset);
    return array(half.scale * codes_to_f32(half.q.x) - offset, half.scale * codes_to_f32(half.q.y) - offset,
                 half.scale * codes_to_f32(half.q.z) - offset, half.scale * codes_to_f32(half.q.w) - offset);
  }
  let a = load_float8(m, row, 2u * h);
  let b = load_float8(m, row, 2u * h + 1u);
  return array(a.lo, a.hi, b.lo, b.hi);
}
