// uses: attention_range, attention_cut
// Puts together what the splits of attention_decode made: a workgroup a head of a row.
// specialise
const kD = 64u;
const kHeads = 9u;
const kKvHeads = 3u;
const kSplit = 512u;
const kSplits = 4u;
const kPlain = false;
const kN = 1u;
const kNWord = 1u;
const kS = 1u;
const kSWord = 2u;
const kSlots = 16u;
const kCells = 20u;
const kWindow = 0u;
const kCap = 0.0f;
// end

@group(0) @binding(0) var<storage, read_write> partials: array<f32>;  // kD sums, largest score, total of weights
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<i32>;

const kGroups = 256u / kD;
const kStride = kD + 2u;

var<workgroup> weights: array<f32, kSplits>;
var<workgroup> shares: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let out_row = group.y * kHeads + group.x;
  let range = seen(group.y);
  let split = split_of(range.y);
  let first = range.x / split;
  let count = (range.y + split - 1u) / split - first;
  let base = (out_row * kSplits + first) * kStride;

  var top = kNoScore;
  for (var i = thread; i < count; i += 256u) {
    top = max(top, partials[base + i * kStride + kD]);
  }
  shares[thread] = top;
  workgroupBarrier();
  // Two levels of 16 instead of eight of 2: fewer barriers.
  if (thread < 16u) {
    for (var i = 1u; i < 16u; i++) {
      top = max(top, shares[thread + i * 16u]);
    }
    shares[thread] = top;
  }
  workgroupBarrier();
  for (var i = 0u; i < 16u; i++) {
    top = max(top, shares[i]);
  }
  for (var i = thread; i < count; i += 256u) {
    weights[i] = exp(partials[base + i * kStride + kD] - top);
  }
  workgroupBarrier();
  let d = thread % kD;
  var sum = 0.0;
  var total = 0.0;
  if (thread / kD < kGroups) {
    for (var i = thread / kD; i < count; i += kGroups) {
      sum += weights[i] * partials[base + i * kStride + d];
      total += weights[i] * partials[base + i * kStride + kD + 1u];
    }
  }
  shares[thread] = sum;
  workgroupBarrier();
  for (var g = 1u; g < kGroups; g++) {
    sum += shares[(g * kD + thread) % 256u];
  }
  workgroupBarrier();
  shares[thread] = total;
  workgroupBarrier();
  for (var g = 1u; g < kGroups; g++) {
    total += shares[(g * kD + thread) % 256u];
  }
  if (thread < kD) {
    y[out_row * kD + d] = sum / total;
  }
}
