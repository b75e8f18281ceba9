// Sine and cosine of position * frequency for rotary embeddings. The product is far beyond what f32 holds (1e-3 is lost at
// position 30000) and what sin() promises (2^-11, and only up to pi), so the turns are counted in integers: the frequency
// becomes a fraction of a turn of 64 bits, whose product with the position wraps as angles do. Absolute error 1.5e-7.

// The upper word of a product.
fn high_word(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (other >> 16u);
}

// frac(frequency / (2 pi)) * 2^64 as (high, low), for frequencies below 2^24.
fn turns_of(frequency: f32) -> vec2<u32> {
  let bits = bitcast<u32>(frequency);
  let exponent = (bits >> 23u) & 255u;
  let m = select((bits & 0x7fffffu) | 0x800000u, 0u, exponent == 0u);
  // 1 / (2 pi) = 0.28BE60DB 9391054A 7F09D5F4 (hex). The product with m: one word before the point, three behind.
  var p3 = m * 0x7f09d5f4u;
  var p2 = m * 0x9391054au;
  var p1 = m * 0x28be60dbu;
  var p0 = high_word(m, 0x28be60dbu);
  let carry2 = high_word(m, 0x7f09d5f4u);
  p2 += carry2;
  let carry1 = high_word(m, 0x9391054au) + select(0u, 1u, p2 < carry2);
  p1 += carry1;
  p0 += select(0u, 1u, p1 < carry1);
  // Shifted by the exponent of m's last bit; 150 means none.
  var shift = 150u - min(exponent, 150u);
  if (exponent > 150u) {
    let left = min(exponent - 150u, 31u);
    return vec2((p1 << left) | ((p2 >> 1u) >> (31u - left)), (p2 << left) | ((p3 >> 1u) >> (31u - left)));
  }
  while (shift >= 32u) {
    p2 = p1;
    p1 = p0;
    p0 = 0u;
    shift -= 32u;
  }
  // (x << 1) << (31 - shift) is x << (32 - shift) also for shift 0.
  return vec2((p1 >> shift) | ((p0 << 1u) << (31u - shift)), (p2 >> shift) | ((p1 << 1u) << (31u - shift)));
}

// (cos, sin) of position * frequency.
fn rotation(position: i32, frequency: f32) -> vec2<f32> {
  let turns = turns_of(frequency);
  let p = u32(abs(position));
  var phase = p * turns.x + high_word(p, turns.y);
  if ((position < 0) != (frequency < 0.0)) {
    phase = 0u - phase;
  }
  let quadrant = (phase + 0x20000000u) >> 30u;
  // Within [-pi / 4, pi / 4]: Taylor's series, cut where the next term is below 3e-9.
  let r = f32(bitcast<i32>(phase - (quadrant << 30u))) * 1.4629180792671596e-9;  // 2 pi / 2^32
  let r2 = r * r;
  let s = r + r * r2 * (-1.6666667e-1 + r2 * (8.3333333e-3 + r2 * (-1.9841270e-4 + r2 * 2.7557319e-6)));
  let c = 1.0 + r2 * (-0.5 + r2 * (4.1666667e-2 + r2 * (-1.3888889e-3 + r2 * (2.4801587e-5 + r2 * -2.7557319e-7))));
  switch quadrant & 3u {
    case 0u: {
      return vec2(c, s);
    }
    case 1u: {
      return vec2(-s, c);
    }
    case 2u: {
      return vec2(-c, -s);
    }
    default: {
      return vec2(s, -c);
    }
  }
}
