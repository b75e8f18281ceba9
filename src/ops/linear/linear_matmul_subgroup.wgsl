// uses: blocks, linear_io
// y = x W^T for many tokens with the matrix units of a subgroup: factors in f16, sums in f32. A workgroup of
// kSubT x kSubN subgroups makes kTileT x kTileN of y from tiles of kStep columns of x and of W (unpacked) in workgroup
// memory; each subgroup multiplies fragments of kM x kK by kK x kN. Grid: rows / kTileN, tokens / kTileT.

// specialise
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
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
const kSubgroupSize = 32u;
const kM = 16u;
const kN = 16u;
const kK = 16u;
const kTileT = 64u;
const kTileN = 64u;
const kSubT = 2u;
const kSubN = 2u;
const kStep = 32u;  // or 64, if that divides K
// end

const kThreads = kSubT * kSubN * kSubgroupSize;
// At most 4 x 2 (and not 3).
const kFragmentsT = kTileT / kSubT / kM;
const kFragmentsN = kTileN / kSubN / kN;

// Rows of kStep f16 as vec4<u32>, and one more: eight neighbouring rows, 80 or 144 bytes apart, lie in all 32 banks.
const kParts = kStep / 8u;
const kStride = kParts + 1u;
const kTileW = kTileT * kStride;  // W's rows follow those of x
// At the end: a fragment of each subgroup on its way to y.
var<workgroup> tile: array<vec4<u32>, (kTileT + kTileN) * kStride>;

alias Left = subgroup_matrix_left<f16, kK, kM>;
alias Right = subgroup_matrix_right<f16, kN, kK>;
alias Sums = subgroup_matrix_result<f32, kN, kM>;

fn pack8(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}

// Large activations become the largest f16, not infinity.
fn limited(v: vec4<f32>) -> vec4<f32> { return clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0)); }

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(local_invocation_index) index: u32,
        @builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let t0 = group_id.y * kTileT;
  let n0 = group_id.x * kTileN;
  let count = tokens();
  if (t0 >= count) {
    return;
  }
  // Where this subgroup's part of the tile begins.
  let sub_t = subgroup / kSubN * (kFragmentsT * kM);
  let sub_n = subgroup % kSubN * (kFragmentsN * kN);
  // A name each: as an array they would live in memory wherever a loop over them is not unrolled, at half the speed.
  var s00: Sums;
  var s10: Sums;
  var s20: Sums;
  var s30: Sums;
  var s01: Sums;
  var s11: Sums;
  var s21: Sums;
  var s31: Sums;
  for (var k = 0u; k < kColumns; k += kStep) {
    for (var i = index; i < kTileT * kParts; i += kThreads) {
      let t = t0 + i / kParts;
      let column = k + 8u * (i % kParts);
      var v = vec4<u32>();
      if (t < count) {
        v = pack8(limited(load_x4(t, column)), limited(load_x4(t, column + 4u)));
      }
      tile[i / kParts * kStride + i % kParts] = v;
    }
    for (var i = index; i < kTileN * kParts / 2u; i += kThreads) {
      let row = i / (kParts / 2u);
      let h = i % (kParts / 2u);
      let v = load_values16(kMatrix, min(n0 + row, kRows - 1u), k / 16u + h);
      let to = kTileW + row * kStride + 2u * h;
      tile[to] = pack8(v[0], v[1]);
      tile[to + 1u] = pack8(v[2], v[3]);
    }
    workgroupBarrier();
    for (var part = 0u; part < kParts; part += kK / 8u) {
      let at = sub_t * kStride + part;
      let right_at = kTileW + sub_n * kStride + part;
      let right0 = subgroupMatrixLoad<Right, col_major>(&tile, right_at, kStride);
      let left0 = subgroupMatrixLoad<Left, row_major>(&tile, at, kStride);
      s00 = subgroupMatrixMultiplyAccumulate(left0, right0, s00);
      var right1: Right;
      if (kFragmentsN > 1u) {
        right1 = subgroupMatrixLoad<Right, col_major>(&tile, right_at + kN * kStride, kStride);
        s01 = subgroupMatrixMultiplyAccumulate(left0, right1, s01);
      }
      if (kFragmentsT > 1u) {
        let left1 = subgroupMatrixLoad<Left, row_major>(&tile, at + kM * kStride, kStride);
        s10 = subgroupMatrixMultiplyAccumulate(left1, right0, s10);
        if (kFragmentsN > 1u) {
          s11 = subgroupMatrixMultiplyAccumulate(left1, right1, s11);
        }
      }
      if (kFragmentsT > 2u) {
        let left2 = subgroupMatrixLoad<Left, row_major>(&tile, at + 2u * kM * kStride, kStride);
        let left3 = subgroupMatrixLoad<Left, row_major>(&tile, at + 3u * kM * kStride, kStride);
        s20 = subgroupMatrixMultiplyAccumulate(left2, right0, s20);
        s30 = subgroupMatrixMultiplyAccumulate(left3, right0, s30);
        if (kFragmentsN > 1u) {
          s21 = subgroupMatrixMultiplyAccumulate(left2, right1, s21);
          s31 = subgroupMatrixMultiplyAccumulate(left3, right1, s31);
        }
      }
    }
    workgroupBarrier();
  }
  let out = Part(subgroup * (kM * kN / 4u), t0 + sub_t, n0 + sub_n, count);
  put(s00, out, lane, 0u, 0u);
  if (kFragmentsN > 1u) {
    put(s01, out, lane, 0u, 1u);
  }
  if (kFragmentsT > 1u) {
    put(s10, out, lane, 1u, 0u);
    if (kFragmentsN > 1u) {
      put(s11, out, lane, 1u, 1u);
    }
  }
  if (kFragmentsT > 2u) {
    put(s20, out, lane, 2u, 0u);
    put(s30, out, lane, 3u, 0u);
    if (kFragmentsN > 1u) {
      put(s21, out, lane, 2u, 1u);
      put(s31, out, lane, 3u, 1u);
    }
  }
}

// Where a subgroup writes: its room in `tile`, its first row and column of y.
struct Part { stage: u32, t: u32, n: u32, count: u32 }

// Fragment (i, j) to y.
fn put(sums: Sums, out: Part, lane: u32, i: u32, j: u32) {
  subgroupMatrixStore<row_major>(&tile, out.stage, sums, kN / 4u);
  workgroupBarrier();
  for (var e = lane; e < kM * kN; e += kSubgroupSize) {
    let t = out.t + i * kM + e / kN;
    let n = out.n + j * kN + e % kN;
    if (t < out.count && n < kRows) {
      store_y(t, n, bitcast<f32>(tile[out.stage + e / 4u][e % 4u]));
    }
  }
  workgroupBarrier();
}
