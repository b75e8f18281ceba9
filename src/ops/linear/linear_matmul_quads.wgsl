// uses: blocks, linear_io
// y = x W^T for many tokens on adapters that are CPUs: x quantised by blocks of 32 (i8_32), W of any block format. There a
// thread is a lane of a SIMD register, a load fetches lane by lane and a barrier parks threads: so there is no workgroup
// memory. Each thread makes 4 rows of y for kTileT tokens in registers, loads its rows of W and a quarter (kEight: an
// eighth) of the tokens, and gets the others from its neighbours. Products are whole numbers in f32: exact, a block's sum
// stays below 2^24. Grid: rows / kTileN, tokens / kTileT.
//
//   sum over blocks of x_scale * (scale * (q . x) - offset * sum(x))

// specialise
enable subgroups;
const kFormat = 7u;
const kColumns = 64u;
const kMatrix = Matrix(0u, 0u, 64u, 0u);
const kRows = 5u;
const kFirst = 0u;
const kWidth = 5u;
const kTokens = 1u;
const kTokensWord = 0u;
const kXQuantized = true;
alias XType = vec4<u32>;
const kBiasFormat = 255u;
const kResidual = false;
const kTileT = 8u;  // or 16
const kTileN = 32u;
const kEight = false;  // eight neighbours make a subgroup or a part of one, else four
// end

const kThreads = kTileN / 4u;  // whole fours or eights
const kWide = kTileT == 16u;

// The signed bytes of a word. Shifting each by another amount is what SwiftShader does lane by lane; masks are not.
fn floats(word: u32) -> vec4<f32> {
  let bytes = vec4<u32>(word ^ 0x00808080u) & vec4<u32>(0xffu, 0xff00u, 0xff0000u, 0xff000000u);
  return vec4<f32>(bitcast<vec4<i32>>(bytes)) * vec4<f32>(1.0, 0x1p-8, 0x1p-16, 0x1p-24) -
         vec4<f32>(128.0, 128.0, 128.0, 0.0);
}

// Column i is what thread (this ^ i) of the quad has.
fn quad4(v: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(v, quadSwapX(v), quadSwapY(v), quadSwapDiagonal(v));
}
fn quad(v: f32) -> vec4<f32> { return vec4<f32>(v, quadSwapX(v), quadSwapY(v), quadSwapDiagonal(v)); }

// The codes and scales of four of the thread's tokens, of which every second is that of a thread of the other quad.
struct Codes { a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32> }
fn x_codes(token: vec4<u32>, b: u32, h: u32) -> Codes {
  var x = Codes();
  x.a = load_x_codes(token.x, b, h);
  if (kWide) {
    x.c = load_x_codes(token.z, b, h);
  }
  if (kEight) {
    x.b = subgroupShuffleXor(x.a, 4u);
    x.d = subgroupShuffleXor(x.c, 4u);
  } else {
    x.b = load_x_codes(token.y, b, h);
    if (kWide) {
      x.d = load_x_codes(token.w, b, h);
    }
  }
  return x;
}
// Word i of each of the four.
fn transpose4(a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32>) -> Codes {
  return Codes(vec4<u32>(a.x, b.x, c.x, d.x), vec4<u32>(a.y, b.y, c.y, d.y), vec4<u32>(a.z, b.z, c.z, d.z),
               vec4<u32>(a.w, b.w, c.w, d.w));
}
fn x_scales(token: vec4<u32>, b: u32) -> vec4<f32> {
  var f = vec4<f32>(load_x_scale(token.x, b));
  if (kWide) {
    f.z = load_x_scale(token.z, b);
  }
  if (kEight) {
    return vec4<f32>(f.x, subgroupShuffleXor(f.x, 4u), f.z, subgroupShuffleXor(f.z, 4u));
  }
  f.y = load_x_scale(token.y, b);
  if (kWide) {
    f.w = load_x_scale(token.w, b);
  }
  return f;
}

// y of 8 or 16 tokens, four each: [token][row]; token i of four is that of thread (this ^ i). Variables in loops are given
// their zeros: seen not to be zero again where nothing is said.
struct Tile { a: mat4x4<f32>, b: mat4x4<f32>, c: mat4x4<f32>, d: mat4x4<f32> }

// Adds products of four columns: w of the rows, x of the thread's tokens.
fn add(p: Tile, w: vec4<u32>, x: vec4<u32>) -> Tile {
  let columns = transpose(mat4x4<f32>(floats(w.x), floats(w.y), floats(w.z), floats(w.w)));  // [column][row]
  var sum = p;
  sum.a += columns * quad4(floats(x.x));
  sum.b += columns * quad4(floats(x.y));
  if (kWide) {
    sum.c += columns * quad4(floats(x.z));
    sum.d += columns * quad4(floats(x.w));
  }
  return sum;
}

// What a block, or half of one, adds to y of four tokens: scale and low of the rows, x_scale and sum (of codes, negated)
// of the thread's token.
fn scaled(p: mat4x4<f32>, scale: vec4<f32>, low: vec4<f32>, x_scale: f32, sum: i32) -> mat4x4<f32> {
  let f = quad(x_scale);
  var y = mat4x4<f32>(p[0] * (scale * f.x), p[1] * (scale * f.y), p[2] * (scale * f.z), p[3] * (scale * f.w));
  if (kHasMin) {
    let g = quad(x_scale * f32(sum));
    y += mat4x4<f32>(low * g.x, low * g.y, low * g.z, low * g.w);
  }
  return y;
}
fn finish(y: Tile, p: Tile, scale: vec4<f32>, low: vec4<f32>, x_scale: vec4<f32>, sum: vec4<i32>) -> Tile {
  var out = y;
  out.a += scaled(p.a, scale, low, x_scale.x, sum.x);
  out.b += scaled(p.b, scale, low, x_scale.y, sum.y);
  if (kWide) {
    out.c += scaled(p.c, scale, low, x_scale.z, sum.z);
    out.d += scaled(p.d, scale, low, x_scale.w, sum.w);
  }
  return out;
}

fn store(t: u32, n: u32, count: u32, y: mat4x4<f32>) {
  store_rows(t, n, count, y[0]);
  store_rows(t ^ 1u, n, count, y[1]);
  store_rows(t ^ 2u, n, count, y[2]);
  store_rows(t ^ 3u, n, count, y[3]);
}
fn store_rows(t: u32, n: u32, count: u32, y: vec4<f32>) {
  if (t < count && n < kRows) {
    store_y(t, n, y.x);
  }
  if (t < count && n + kThreads < kRows) {
    store_y(t, n + kThreads, y.y);
  }
  if (t < count && n + 2u * kThreads < kRows) {
    store_y(t, n + 2u * kThreads, y.z);
  }
  if (t < count && n + 3u * kThreads < kRows) {
    store_y(t, n + 3u * kThreads, y.w);
  }
}

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  let count = tokens();
  if (group.y * kTileT >= count) {
    return;
  }
  let n = group.x * kTileN + index + kThreads * vec4<u32>(0u, 1u, 2u, 3u);
  let row = min(n, vec4<u32>(kRows - 1u));
  let mine = group.y * kTileT + (lane & select(3u, 7u, kEight));
  let t = vec4<u32>(mine) ^ vec4<u32>(0u, 4u, 8u, 12u);
  let token = min(t, vec4<u32>(count - 1u));
  var y = Tile();
  for (var b = 0u; b < kBlocks; b++) {
    let x_scale = x_scales(token, b);
    var p = Tile();
    var scale = vec4<f32>();
    var low = vec4<f32>();
    for (var h = 0u; h < 2u; h++) {
      let w0 = load_half(kMatrix, row.x, b, h);
      let w1 = load_half(kMatrix, row.y, b, h);
      let w2 = load_half(kMatrix, row.z, b, h);
      let w3 = load_half(kMatrix, row.w, b, h);
      let w = transpose4(centred(w0.q), centred(w1.q), centred(w2.q), centred(w3.q));
      let codes = x_codes(token, b, h);
      let x = transpose4(codes.a, codes.b, codes.c, codes.d);
      p = add(add(add(add(p, w.a, x.a), w.b, x.b), w.c, x.c), w.d, x.d);
      scale = vec4<f32>(w0.scale, w1.scale, w2.scale, w3.scale);
      low = vec4<f32>(w0.offset, w1.offset, w2.offset, w3.offset);
      if (kHalfScales) {
        let sum = vec4<i32>(negated_sum(codes.a), negated_sum(codes.b), negated_sum(codes.c), negated_sum(codes.d));
        y = finish(y, p, scale, low, x_scale, sum);
        p = Tile();
      }
    }
    if (!kHalfScales) {
      var sum = vec4<i32>();
      if (kHasMin) {
        sum = vec4<i32>(load_x_negsum(token.x, b), load_x_negsum(token.y, b), load_x_negsum(token.z, b),
                        load_x_negsum(token.w, b));
      }
      y = finish(y, p, scale, low, x_scale, sum);
    }
  }
  store(t.x, n.x, count, y.a);
  store(t.y, n.x, count, y.b);
  if (kWide) {
    store(t.z, n.x, count, y.c);
    store(t.w, n.x, count, y.d);
  }
}
