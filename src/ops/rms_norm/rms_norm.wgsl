// uses: norm
// rms_norm: y = x / sqrt(mean(x^2) + eps) * weight, a row to kLanes threads.
// specialise
const kC = 576u;
const kRows = 1u;
const kRowsWord = 0u;
const kThreads = 256u;
const kLanes = 256u;
const kItems = 1u;  // rows a workgroup, a multiple of kThreads / kLanes
const kWeight = 0u;
const kEps = 1e-5f;
// end

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> step: array<i32>;

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let rows = kRows * u32(step[kRowsWord]);
  let lane = thread % kLanes;
  for (var first = 0u; first < kItems; first += kThreads / kLanes) {
    let row = group.x * kItems + first + thread / kLanes;
    let width = select(0u, kC, row < rows);
    var squares = 0.0;
    for (var i = lane; i < width; i += kLanes) {
      let v = x[row * kC + i];
      squares += v * v;
    }
    let factor = inverseSqrt(norm_sum(thread, squares) / f32(kC) + kEps);
    for (var i = lane; i < width; i += kLanes) {
      y[row * kC + i] = x[row * kC + i] * factor * norm_weight(i);
    }
  }
}
