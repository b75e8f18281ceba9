// A product of subgroup matrices with f16 factors as the matmul kernels make it: left [kM, kK] and right [kN, kK] from
// workgroup memory, in rows of packed halves; the result [kM, kN] to workgroup memory. One workgroup, one subgroup.

// specialise
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
const kThreads = 32u;
const kM = 16u;
const kN = 16u;
const kK = 16u;
alias Sum = f32;
// end

@group(0) @binding(0) var<storage, read> factors: array<vec4<u32>>;  // left, then right
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const kStride = kK / 8u;  // words of eight halves in a row

var<workgroup> left_rows: array<vec4<u32>, kM * kStride>;
var<workgroup> right_rows: array<vec4<u32>, kN * kStride>;
var<workgroup> sums: array<Sum, kM * kN>;

@compute @workgroup_size(kThreads)
fn main(@builtin(local_invocation_index) thread: u32) {
  for (var i = thread; i < kM * kStride; i += kThreads) {
    left_rows[i] = factors[i];
  }
  for (var i = thread; i < kN * kStride; i += kThreads) {
    right_rows[i] = factors[kM * kStride + i];
  }
  workgroupBarrier();
  let left = subgroupMatrixLoad<subgroup_matrix_left<f16, kK, kM>, row_major>(&left_rows, 0u, kStride);
  let right = subgroupMatrixLoad<subgroup_matrix_right<f16, kN, kK>, col_major>(&right_rows, 0u, kStride);
  var product: subgroup_matrix_result<Sum, kN, kM>;
  product = subgroupMatrixMultiplyAccumulate(left, right, product);
  product = subgroupMatrixMultiplyAccumulate(left, right, product);
  subgroupMatrixStore<row_major>(&sums, 0u, product, kN);
  workgroupBarrier();
  for (var i = thread; i < kM * kN; i += kThreads) {
    result[i] = f32(sums[i]);
  }
}
