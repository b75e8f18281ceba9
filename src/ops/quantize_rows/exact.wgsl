// Roundings that WGSL leaves to the implementation (division to 2.5 units in the last place, f32 to f16 either way), done
// in integers so that quantised values are the CPU's, bit for bit.

// kept = q >> drop, rounded to nearest even; `more`: there are bits below q.
fn exact_shift(q: u32, drop: u32, more: bool) -> u32 {
  let kept = q >> drop;
  let low = q & ((1u << drop) - 1u);
  let half = 1u << (drop - 1u);
  return kept + select(0u, 1u, low > half || (low == half && (more || (kept & 1u) == 1u)));
}

// The bits of x as f16.
fn exact_half(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let a = bits & 0x7fffffffu;
  if (a > 0x7f800000u) {
    return sign | 0x7e00u;  // NaN
  }
  if (a >= 0x47800000u) {
    return sign | 0x7c00u;  // 65536 and above
  }
  if (a >= 0x38800000u) {
    return sign | exact_shift(a - 0x38000000u, 13u, false);  // a carry out of 65504's mantissa makes infinity
  }
  if (a < 0x33000000u) {
    return sign;  // below half of the smallest subnormal
  }
  return sign | exact_shift((a & 0x7fffffu) | 0x800000u, 126u - (a >> 23u), false);
}

// x / 127 for x >= 0; 0 where the result were below the smallest normal float.
fn exact_by_127(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let exponent = bits >> 23u;
  if (exponent < 9u) {
    return 0.0;
  }
  let n = ((bits & 0x7fffffu) | 0x800000u) << 8u;
  let q = n / 127u;  // 25 or 26 bits
  let drop = select(1u, 2u, q >= 0x2000000u);
  return bitcast<f32>(((exponent - 8u + drop) << 23u) + exact_shift(q, drop, q * 127u != n) - 0x800000u);
}

// 127 / x for x >= 0; 0 where x is 0 or the result would not be finite.
fn exact_127_over(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let exponent = bits >> 23u;
  if (exponent < 6u) {
    return 0.0;
  }
  let m = (bits & 0x7fffffu) | 0x800000u;
  var rest = 127u << 17u;  // 127 with its mantissa where that of m is
  var q = 0u;
  for (var i = 0; i < 26; i++) {
    q <<= 1u;
    if (rest >= m) {
      rest -= m;
      q |= 1u;
    }
    rest <<= 1u;
  }
  let drop = select(1u, 2u, q >= 0x2000000u);
  return bitcast<f32>(((258u + drop - exponent) << 23u) + exact_shift(q, drop, rest != 0u) - 0x800000u);
}
