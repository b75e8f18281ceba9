// What the functions on four packed bytes give on this device. One workgroup.

const kPairs = 64u;

@group(0) @binding(0) var<storage, read> pairs: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> results: array<vec4<u32>>;

@compute @workgroup_size(kPairs)
fn main(@builtin(local_invocation_index) i: u32) {
  let pair = pairs[i];
  results[i] = vec4<u32>(bitcast<u32>(dot4I8Packed(pair.x, pair.y)), dot4U8Packed(pair.x, pair.y),
                         pack4xI8Clamp(3 * unpack4xI8(pair.x)), pack4xU8(unpack4xU8(pair.y) + vec4<u32>(1u)));
}
