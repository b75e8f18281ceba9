// Fills memory with numbers that look random (PCG hash, M. O'Neill 2014; M. Jarzynski and M. Olano, 2020), so that no
// device can compress or skip what is measured.

@group(0) @binding(0) var<storage, read_write> data: array<u32>;

fn hash(n: u32) -> u32 {
  let state = n * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&data); i += 256u * groups.x) {
    data[i] = hash(i);
  }
}
