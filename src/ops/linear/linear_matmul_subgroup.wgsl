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
  var sums: array<Sums, kFragmentsT * kFragmentsN>;
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
      var left: array<Left, kFragmentsT>;
      for (var i = 0u; i < kFragmentsT; i++) {
        left[i] = subgroupMatrixLoad<Left, row_major>(&tile, (sub_t + i * kM) * kStride + part, kStride);
      }
      for (var j = 0u; j < kFragmentsN; j++) {
        let right = subgroupMatrixLoad<Right, col_major>(&tile, kTileW + (sub_n + j * kN) * kStride + part, kStride);
        for (var i = 0u; i < kFragmentsT; i++) {
          sums[j * kFragmentsT + i] = subgroupMatrixMultiplyAccumulate(left[i], right, sums[j * kFragmentsT + i]);
        }
      }
    }
    workgroupBarrier();
  }
  let stage = subgroup * (kM * kN / 4u);
  for (var f = 0u; f < kFragmentsT * kFragmentsN; f++) {
    subgroupMatrixStore<row_major>(&tile, stage, sums[f], kN / 4u);
    workgroupBarrier();
    for (var i = lane; i < kM * kN; i += kSubgroupSize) {
      let t = t0 + sub_t + f % kFragmentsT * kM + i / kN;
      let n = n0 + sub_n + f / kFragmentsT * kN + i % kN;
      if (t < count && n < kRows) {
        store_y(t, n, bitcast<f32>(tile[stage + i / 4u][i % 4u]));
      }
    }
    workgroupBarrier();
  }
}
