// y = W x with W of signed bytes: 32 lanes a row, 4 rows a workgroup, sums over workgroup memory. Deliberately plain: what
// any engine would write first, and so a measure of the device and not of our kernels.

// specialise
const kRows = 576u;
const kColumns = 576u;
const kScale = 0.0005f;
// end

const kLanes = 32u;
const kGroups = 4u;
const kUnits = kColumns / 16u;

@group(0) @binding(0) var<storage, read> weights: array<vec4<u32>>;  // [kRows, kUnits]
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, kLanes * kGroups>;

@compute @workgroup_size(kLanes * kGroups)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = min(group.x * kGroups + thread / kLanes, kRows - 1u);
  let lane = thread % kLanes;
  var sum = 0.0;
  for (var unit = lane; unit < kUnits; unit += kLanes) {
    let w = weights[row * kUnits + unit];
    for (var i = 0u; i < 4u; i++) {
      sum += dot(vec4<f32>(unpack4xI8(w[i])), x[4u * unit + i]);
    }
  }
  partial[thread] = sum;
  for (var half = kLanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      partial[thread] += partial[thread + half];
    }
  }
  if (lane == 0u) {
    y[row] = kScale * partial[thread];
  }
}
