// uses: blocks, linear_io
// y = x W^T for many tokens in f32: a workgroup makes kTileT x kTileN of y from tiles of 32 columns of x and of W
// (unpacked) in workgroup memory, each thread 4 x 4 of it. Grid: rows / kTileN, tokens / kTileT.

// specialise
const kFormat = 7u;
const kColumns = 64u;
const kMatrix = Matrix(0u, 0u, 64u, 0u);
const kRows = 5u;
const kFirst = 0u;
const kWidth = 5u;
const kTokens = 1u;
const kTokensWord = 0u;
const kXQuantized = false;
alias XType = vec4<u32>;
const kBiasFormat = 255u;
const kResidual = false;
const kTileT = 64u;
const kTileN = 64u;
// end

const kThreadsN = kTileN / 4u;
const kThreads = kThreadsN * kTileT / 4u;

// Rows of 8 vec4 (32 columns). Part p of row r is at r * 8 + (p ^ r % 8): eight neighbouring rows, read by eight
// neighbouring lanes, lie in all 32 banks.
var<workgroup> tile_x: array<vec4<f32>, kTileT * 8u>;
var<workgroup> tile_w: array<vec4<f32>, kTileN * 8u>;

fn at(row: u32, part: u32) -> u32 { return row * 8u + (part ^ (row & 7u)); }

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
  for (var k = 0u; k < kColumns; k += 32u) {
    for (var i = index; i < kTileT * 8u; i += kThreads) {
      let t = t0 + i / 8u;
      var v = vec4<f32>();
      if (t < count) {
        v = load_x4(t, k + 4u * (i % 8u));
      }
      tile_x[at(i / 8u, i % 8u)] = v;
    }
    for (var i = index; i < kTileN * 2u; i += kThreads) {
      let row = i / 2u;
      let v = load_values16(kMatrix, min(n0 + row, kRows - 1u), k / 16u + i % 2u);
      let part = 4u * (i % 2u);
      tile_w[at(row, part)] = v[0];
      tile_w[at(row, part + 1u)] = v[1];
      tile_w[at(row, part + 2u)] = v[2];
      tile_w[at(row, part + 3u)] = v[3];
    }
    workgroupBarrier();
    for (var part = 0u; part < 8u; part++) {
      let w0 = tile_w[at(column, part)];
      let w1 = tile_w[at(column + kThreadsN, part)];
      let w2 = tile_w[at(column + 2u * kThreadsN, part)];
      let w3 = tile_w[at(column + 3u * kThreadsN, part)];
      for (var i = 0u; i < 4u; i++) {
        let v = tile_x[at(line + i, part)];
        sums[i] += vec4<f32>(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
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
