// As little as a dispatch can do that the next one must wait for.

@group(0) @binding(0) var<storage, read_write> data: array<u32>;

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) thread: u32) {
  data[thread] += 1u;
}
