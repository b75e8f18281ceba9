// uses: activations
// add, mul, gated_activation: y = f(a, b), element by element.
// specialise
alias Value = vec4<f32>;  // or f32 where the size is no multiple of 4
const kOp = 2u;           // 0 add, 1 mul, 2 gated_activation: activate(a) * b
const kActivation = 0u;
const kSize = 144u;  // of a in Values
const kSizeWord = 0u;
const kItems = 256u;  // Values a workgroup
// end

@group(0) @binding(0) var<storage, read_write> a: array<Value>;
@group(0) @binding(1) var<storage, read_write> b: array<Value>;
@group(0) @binding(2) var<storage, read_write> y: array<Value>;
@group(0) @binding(3) var<storage, read> step: array<i32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let end = min((group.x + 1u) * kItems, kSize * u32(step[kSizeWord]));
  for (var i = group.x * kItems + thread; i < end; i += 256u) {
    if (kOp == 0u) {
      y[i] = a[i] + b[i];
    } else if (kOp == 1u) {
      y[i] = a[i] * b[i];
    } else {
      y[i] = activate(a[i]) * b[i];
    }
  }
}
