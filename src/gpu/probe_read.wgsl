// Reads memory as fast as plain loads of 16 bytes go: a workgroup reads kLoads vectors a thread, neighbours side by side.

// specialise
const kLoads = 16u;
// end

const kThreads = 256u;

@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let first = group.x * (kThreads * kLoads) + thread;
  if (first + (kLoads - 1u) * kThreads >= arrayLength(&data)) {
    return;
  }
  var sum = vec4<u32>();
  for (var i = 0u; i < kLoads; i++) {
    sum ^= data[first + i * kThreads];
  }
  // Hardly ever true, but nothing can leave the loads out.
  if (((sum.x ^ sum.y) ^ (sum.z ^ sum.w)) == 0x9e3779b9u) {
    result[0] = thread;
  }
}
