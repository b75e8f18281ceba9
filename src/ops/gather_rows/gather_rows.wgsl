// gather_rows: y[r, :] = x[rows[r], :].
// specialise
alias Value = vec4<f32>;  // or f32 where the width is no multiple of 4
const kC = 144u;          // width in Values
const kT = 1u;            // rows of x
const kTWord = 0u;
const kR = 1u;  // rows of y
const kRWord = 1u;
const kIndex = 16u;   // where the wanted rows lie in the step buffer
const kItems = 256u;  // Values a workgroup
// end

@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;
@group(0) @binding(2) var<storage, read> step: array<i32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let rows = kT * u32(step[kTWord]);
  let end = min((group.x + 1u) * kItems, kC * kR * u32(step[kRWord]));
  for (var i = group.x * kItems + thread; i < end; i += 256u) {
    let row = min(u32(step[kIndex + i / kC]), rows - 1u);
    y[i] = x[row * kC + i % kC];
  }
}
