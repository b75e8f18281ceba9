// What f16 does on this device: for each pair (a, b) a + b, a * b, fma(a, b, a) and -a, once stored at once and once after
// a way through workgroup memory to the neighbouring pair's place. One workgroup.

// specialise
enable f16;
// end

const kPairs = 64u;

@group(0) @binding(0) var<storage, read> pairs: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> results: array<vec4<f16>>;  // [2, kPairs]

var<workgroup> exchange: array<vec4<f16>, kPairs>;

@compute @workgroup_size(kPairs)
fn main(@builtin(local_invocation_index) i: u32) {
  let pair = vec2<f16>(pairs[i]);
  let value = vec4<f16>(pair.x + pair.y, pair.x * pair.y, fma(pair.x, pair.y, pair.x), -pair.x);
  results[i] = value;
  exchange[i ^ 1u] = value;
  workgroupBarrier();
  results[kPairs + i] = exchange[i];
}
