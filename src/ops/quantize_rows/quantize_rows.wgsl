// uses: exact
// quantize_rows: rows of f32 to i8_32 (base/dtype.h), a block of 32 values to a thread.
// specialise
const kBlocks = 18u;  // of a row
const kRows = 1u;
const kRowsWord = 0u;
const kItems = 64u;  // blocks a workgroup
// end

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<storage, read> step: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let end = min((group.x + 1u) * kItems, kRows * u32(step[kRowsWord]) * kBlocks);
  for (var i = group.x * kItems + thread; i < end; i += 64u) {
    let block = i % kBlocks;
    let row = i / kBlocks * kBlocks * 10u;  // words: 8 of quants, one scale, one sum a block
    var largest = vec4(0.0);
    for (var j = 0u; j < 8u; j++) {
      largest = max(largest, abs(x[i * 8u + j]));
    }
    let top = max(max(largest.x, largest.y), max(largest.z, largest.w));
    let inverse = exact_127_over(top);
    var negsum = vec4(0);
    for (var j = 0u; j < 8u; j++) {
      let q = vec4<i32>(round(x[i * 8u + j] * inverse));
      negsum -= q;
      let bytes = bitcast<vec4<u32>>(q) & vec4(255u);
      y[row + block * 8u + j] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
    }
    y[row + kBlocks * 8u + block] = bitcast<u32>(exact_by_127(top));
    y[row + kBlocks * 9u + block] = bitcast<u32>(negsum.x + negsum.y + negsum.z + negsum.w);
  }
}
