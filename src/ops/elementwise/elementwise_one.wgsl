// uses: activations
// scale, softcap, activation: y = f(x), element by element.
// specialise
alias Value = vec4<f32>;  // or f32 where the size is no multiple of 4
const kOp = 2u;           // 0 scale, 1 softcap, 2 activation
const kActivation = 0u;
const kScale = 1.0f;
const kCap = 1.0f;
const kInverseCap = 1.0f;
const kSize = 144u;  // of x in Values
const kSizeWord = 0u;
const kItems = 256u;  // Values a workgroup
// end

@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;
@group(0) @binding(2) var<storage, read> step: array<i32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let end = min((group.x + 1u) * kItems, kSize * u32(step[kSizeWord]));
  for (var i = group.x * kItems + thread; i < end; i += 256u) {
    if (kOp == 0u) {
      y[i] = x[i] * kScale;
    } else if (kOp == 1u) {
      y[i] = kCap * tanh_of(x[i] * kInverseCap);
    } else {
      y[i] = activate(x[i]);
    }
  }
}
