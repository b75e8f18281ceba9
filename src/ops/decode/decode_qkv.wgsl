// uses: decode_rows, angle
// norm_qkv with T = 1: a workgroup makes a head of q, k or v, or an equal part of it (the same stretch of both halves,
// so that pairs of the rotation meet): projects the normalised row, normalises and rotates q and k, writes k and v into
// their caches (f32, or pairs of f16).

// specialise
const kFormat = 11u;
const kColumns = 64u;
const kThreads = 128u;
const kLanes = 4u;
const kPerLane = 1u;
const kMatrices = 1u;
const kQ = Matrix(0u, 0u, 4096u, 0u);
const kK = Matrix(0u, 0u, 4096u, 0u);
const kV = Matrix(0u, 0u, 4096u, 0u);
const kHeads = 2u;
const kKvHeads = 1u;
const kSize = 32u;
const kNorm = true;
const kNormFormat = 0u;
const kNormWord = 0u;
const kEps = 0.00001f;
const kQuantized = true;
const kChunk = 64u;
const kAhead = 1u;
const kTogether = true;
const kBias = vec3<bool>(false, false, false);
const kBiasFormat = 0u;
const kBiasWord = vec3<u32>(0u, 0u, 0u);
const kHeadNorm = false;
const kHeadNormFormat = 0u;
const kHeadNormWord = vec2<u32>(0u, 0u);
const kRopeScale = 1.0f;
const kPositions = 16u;
const kSections = vec2<u32>(32u, 64u);
const kSlots = 20u;
const kCells = 24u;
const kCellCount = 64u;
const kHalves = true;
// end

@group(0) @binding(0) var<storage, read_write> q: array<f32>;        // [1, H, D]
@group(0) @binding(3) var<storage, read> step: array<i32>;
@group(0) @binding(4) var<storage, read> inv_freq: array<f32>;       // [D / 2]
@group(0) @binding(5) var<storage, read_write> k_cache: array<u32>;  // [N, K, S, D]
@group(0) @binding(6) var<storage, read_write> v_cache: array<u32>;

const kStretch = kRows / 2u;         // rows of a workgroup in each half of a head
const kParts = kSize / kRows;        // workgroups a head
var<workgroup> head: array<f32, kRows>;
var<workgroup> turns: array<vec2<f32>, kStretch>;  // (cos, sin) of the workgroup's pairs

// The row of a head's matrix that row r of the workgroup is.
fn row_of(part: u32, r: u32) -> u32 {
  return part * kStretch + select(r, r - kStretch + kSize / 2u, r >= kStretch);
}

fn store(cache_is_k: bool, at: u32, word: u32) {
  if (cache_is_k) {
    k_cache[at] = word;
  } else {
    v_cache[at] = word;
  }
}

// Row r of the finished head, rotated where it is of q or k.
fn finished(kind: u32, r: u32) -> f32 {
  if (kind == 2u) {
    return head[r];
  }
  let low = r < kStretch;
  let turn = turns[select(r - kStretch, r, low)];
  let other = head[select(r - kStretch, r + kStretch, low)];
  return kRopeScale * (head[r] * turn.x + select(other, -other, low) * turn.y);
}

@compute @workgroup_size(kThreads)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let lane = thread % kLanes;
  let index = group.x / kParts;
  let part = group.x % kParts;
  // 0, 1, 2: of q, k, v.
  let kind = select(select(2u, 1u, index < kHeads + kKvHeads), 0u, index < kHeads);
  let number = select(select(index - kHeads - kKvHeads, index - kHeads, kind == 1u), index, kind == 0u);
  var m = kQ;
  if (kind == 1u) {
    m = kK;
  }
  if (kind == 2u) {
    m = kV;
  }
  let head_row = number * kSize;
  // Where it goes and how far it turns is found out while the matrix is read.
  let base = ((u32(step[kSlots]) * kKvHeads + number) * kCellCount + u32(step[kCells])) * kSize;
  if (thread < kStretch && kind < 2u) {
    let i = row_of(part, thread);  // of the pair, and its frequency
    let axis = select(select(2u, 1u, i < kSections.y), 0u, i < kSections.x);
    turns[thread] = rotation(step[kPositions + axis], inv_freq[i]);
  }
  var sums: array<f32, kPerLane>;
  var squared = 0.0;
  for (var chunk = 0u; chunk < kChunks; chunk += 1u) {
    var ahead: array<Raw, kAhead * kPerLane>;
    if (kQuantized) {
      for (var j = 0u; j < kAhead; j += 1u) {
        for (var i = 0u; i < kPerLane; i += 1u) {
          let row = head_row + row_of(part, thread / kLanes + i * kGroups);
          ahead[j * kPerLane + i] = load_unit(m, row, chunk, min(lane + j * kLanes, kUnits - 1u));
        }
      }
    }
    if (chunk > 0u) {
      workgroupBarrier();
    }
    squared += stage(thread, chunk);
    workgroupBarrier();
    if (kQuantized) {
      for (var j = 0u; j < kAhead; j += 1u) {
        let u = lane + j * kLanes;
        if (u < kUnits) {
          for (var i = 0u; i < kPerLane; i += 1u) {
            sums[i] += dot_unit(ahead[j * kPerLane + i], chunk, u);
          }
        }
      }
      for (var u = lane + kAhead * kLanes; u < kUnits; u += kLanes) {
        for (var i = 0u; i < kPerLane; i += 1u) {
          let row = head_row + row_of(part, thread / kLanes + i * kGroups);
          sums[i] += dot_unit(load_unit(m, row, chunk, u), chunk, u);
        }
      }
    } else {
      for (var u = lane; u < kUnits; u += kLanes) {
        for (var i = 0u; i < kPerLane; i += 1u) {
          sums[i] += dot_floats(m, head_row + row_of(part, thread / kLanes + i * kGroups), chunk, u);
        }
      }
    }
  }
  put_squares(thread, squared);
  for (var i = 0u; i < kPerLane; i += 1u) {
    partial[lane * kRows + thread / kLanes + i * kGroups] = sums[i];
  }
  workgroupBarrier();
  for (var r = thread; r < kRows; r += kThreads) {
    var v = norm_factor() * row_sum(0u, r);
    if (kBias[kind]) {
      v += load_vector(kBiasFormat, kBiasWord[kind], number * kSize + row_of(part, r));
    }
    head[r] = v;
  }
  workgroupBarrier();
  if (kHeadNorm) {
    // Only with kParts == 1. Every thread sums the same squares in the same order.
    var sum = 0.0;
    for (var r = 0u; r < kRows; r += 1u) {
      sum += head[r] * head[r];
    }
    workgroupBarrier();
    if (kind < 2u) {
      for (var r = thread; r < kRows; r += kThreads) {
        head[r] = head[r] * inverseSqrt(sum / f32(kSize) + kEps) *
                  load_vector(kHeadNormFormat, kHeadNormWord[min(kind, 1u)], r);
      }
    }
    workgroupBarrier();
  }
  if (kind == 0u) {
    for (var r = thread; r < kRows; r += kThreads) {
      q[number * kSize + row_of(part, r)] = finished(kind, r);
    }
    return;
  }
  if (kHalves) {
    for (var p = thread; p < kRows / 2u; p += kThreads) {
      let r = 2u * p;
      let word = pack2x16float(vec2<f32>(finished(kind, r), finished(kind, r + 1u)));
      store(kind == 1u, (base + row_of(part, r)) / 2u, word);
    }
  } else {
    for (var r = thread; r < kRows; r += kThreads) {
      store(kind == 1u, base + row_of(part, r), bitcast<u32>(finished(kind, r)));
    }
  }
}
