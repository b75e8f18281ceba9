// uses: angle
// rope: rotates pairs (x[i], x[i + kPairs]) of each head by position * inv_freq[i], a thread a pair; what lies behind the
// pairs is copied.
// specialise
const kD = 64u;
const kPairs = 32u;
const kHeads = 9u;
const kT = 1u;
const kTWord = 0u;
const kPositions = 16u;  // where the positions lie in the step buffer, kAxes a token
const kAxes = 1u;
const kAxis1 = 32u;  // the first frequency that follows axis 1, and axis 2
const kAxis2 = 32u;
const kScale = 1.0f;
const kItems = 64u;  // pairs and copies a workgroup
// end

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> inv_freq: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> step: array<i32>;

const kHeadItems = kD - kPairs;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let end = min((group.x + 1u) * kItems, kT * u32(step[kTWord]) * kHeads * kHeadItems);
  for (var item = group.x * kItems + thread; item < end; item += 64u) {
    let row = item / kHeadItems;
    let i = item % kHeadItems;
    let at = row * kD + i;
    if (i >= kPairs) {
      y[at + kPairs] = x[at + kPairs];
      continue;
    }
    let axis = select(0u, 1u, i >= kAxis1) + select(0u, 1u, i >= kAxis2);
    let turn = rotation(step[kPositions + row / kHeads * kAxes + axis], inv_freq[i]) * kScale;
    let a = x[at];
    let b = x[at + kPairs];
    y[at] = a * turn.x - b * turn.y;
    y[at + kPairs] = b * turn.x + a * turn.y;
  }
}
