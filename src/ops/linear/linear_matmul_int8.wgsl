// uses: blocks, linear_io
// y = x W^T for many tokens: x quantised by blocks of 32 (i8_32), W of any block format, products of integers. A
// workgroup makes kTileT x kTileN of y from tiles of 64 columns in workgroup memory, each thread 4 x 4 of it.
// Grid: rows / kTileN, tokens / kTileT.
//
//   sum over blocks of x_scale * (scale * (q . x) - offset * sum(x))
//
// Formats with an offset but without minimum lose it when the tile is filled (q - 8 and the like, as signed bytes).

// specialise
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
const kTileT = 64u;
const kTileN = 64u;
// end

const kThreadsN = kTileN / 4u;
const kThreads = kThreadsN * kTileT / 4u;
// Scales of the four halves of two blocks; where a block has one scale the second half's entry is unused.
const kParts = 4u;

// Rows of 4 vec4 (64 columns). Half h of row r is at r * 4 + (h ^ r / 2 % 4): eight neighbouring rows, read by eight
// neighbouring lanes, lie in all 32 banks.
var<workgroup> tile_x: array<vec4<u32>, kTileT * 4u>;
var<workgroup> tile_w: array<vec4<u32>, kTileN * 4u>;
// [half][row]
var<workgroup> scales_x: array<f32, kTileT * 2u>;
var<workgroup> sums_x: array<f32, kTileT * select(1u, kParts, kHasMin)>;  // scale * minus the sum of the half's x
var<workgroup> scales_w: array<f32, kTileN * kParts>;
var<workgroup> mins_w: array<f32, kTileN * select(1u, kParts, kHasMin)>;

fn at(row: u32, half: u32) -> u32 { return row * 4u + (half ^ ((row >> 1u) & 3u)); }

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let t0 = group_id.y * kTileT;
  let n0 = group_id.x * kTileN;
  let count = tokens();
  if (t0 >= count) {
    return;
  }
  // Rows of this thread: n = n0 + column + kThreadsN * j, t = t0 + 4 * line + i.
  let column = index % kThreadsN;
  let line = 4u * (index / kThreadsN);
  var sums: array<vec4<f32>, 4>;
  for (var b0 = 0u; b0 < kBlocks; b0 += 2u) {
    for (var i = index; i < kTileT * 4u; i += kThreads) {
      let row = i / 4u;
      let h = i % 4u;
      let t = t0 + row;
      let b = b0 + h / 2u;
      var q = vec4<u32>();
      var scale = 0.0;
      if (t < count && b < kBlocks) {
        q = load_x_codes(t, b, h & 1u);
        scale = load_x_scale(t, b);
      }
      tile_x[at(row, h)] = q;
      if ((h & 1u) == 0u) {
        scales_x[(h / 2u) * kTileT + row] = scale;
      }
      if (kHasMin) {
        sums_x[h * kTileT + row] = scale * f32(negated_sum(q));
      }
    }
    for (var i = index; i < kTileN * 4u; i += kThreads) {
      let row = i / 4u;
      let h = i % 4u;
      let w = load_half(kMatrix, min(n0 + row, kRows - 1u), min(b0 + h / 2u, kBlocks - 1u), h & 1u);
      tile_w[at(row, h)] = centred(w.q);
      scales_w[h * kTileN + row] = w.scale;
      if (kHasMin) {
        mins_w[h * kTileN + row] = w.offset;
      }
    }
    workgroupBarrier();
    for (var h = 0u; h < 4u; h += select(2u, 1u, kHalfScales)) {
      var first: array<vec4<u32>, 4>;
      var second: array<vec4<u32>, 4>;
      var scale: vec4<f32>;
      var low: vec4<f32>;
      for (var j = 0u; j < 4u; j++) {
        let row = column + kThreadsN * j;
        first[j] = tile_w[at(row, h)];
        if (!kHalfScales) {
          second[j] = tile_w[at(row, h + 1u)];
        }
        scale[j] = scales_w[h * kTileN + row];
        if (kHasMin) {
          low[j] = mins_w[h * kTileN + row];
        }
      }
      for (var i = 0u; i < 4u; i++) {
        let row = line + i;
        let a = tile_x[at(row, h)];
        var products = vec4<i32>(dot16(a, first[0]), dot16(a, first[1]), dot16(a, first[2]), dot16(a, first[3]));
        if (!kHalfScales) {
          let b = tile_x[at(row, h + 1u)];
          products += vec4<i32>(dot16(b, second[0]), dot16(b, second[1]), dot16(b, second[2]), dot16(b, second[3]));
        }
        sums[i] += vec4<f32>(products) * (scale * scales_x[(h / 2u) * kTileT + row]);
        if (kHasMin) {
          var sum = sums_x[h * kTileT + row];
          if (!kHalfScales) {
            sum += sums_x[(h + 1u) * kTileT + row];
          }
          sums[i] += low * sum;
        }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let t = t0 + line + i;
    for (var j = 0u; j < 4u; j++) {
      let n = n0 + column + kThreadsN * j;
      if (t < count && n < kRows) {
        store_y(t, n, sums[i][j]);
      }
    }
  }
}
