// uses: blocks
// y[t] = row ids[t] of a table of any weight type, or of a part of it: the other parts' rows are left alone. A thread
// makes 16 values. Grid: columns / 1024, tokens.

// specialise
const kFormat = 7u;
const kColumns = 64u;
const kMatrix = Matrix(0u, 0u, 64u, 0u);
const kRows = 5u;   // of the part
const kFirst = 0u;  // its first row
const kWhole = 5u;  // rows of all parts
const kTokens = 1u;
const kTokensWord = 0u;
const kIdsWord = 16u;
// end

@group(0) @binding(0) var<storage, read> step: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let h = id.x;
  let t = id.y;
  if (t >= kTokens * u32(step[kTokensWord]) || 16u * h >= kColumns) {
    return;
  }
  let row = min(u32(step[kIdsWord + t]), kWhole - 1u) - kFirst;  // very large for rows before the part
  if (row >= kRows) {
    return;
  }
  let values = load_values16(kMatrix, row, h);
  for (var i = 0u; i < 16u; i++) {
    if (16u * h + i < kColumns) {
      y[t * kColumns + 16u * h + i] = values[i / 4u][i % 4u];
    }
  }
}
