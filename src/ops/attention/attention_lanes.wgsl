// uses: attention_range, attention_cut
// attention for one row over a cache of f16, where a subgroup has as many lanes as a key has pieces of 16 bytes: kLanes
// neighbouring threads hold 8 dimensions each of a cell's key and value, read together, 16 bytes a thread. Scores meet
// by shuffles, so nothing waits at a barrier until the cells are done; then the thread groups put their parts together.
// A workgroup takes a split of the cells, for attention_combine, and makes up to four heads that share a kv head: vectors of four go across heads. Nothing is an array that a loop indexes:
// those are in memory wherever the driver does not unroll.
// specialise
enable subgroups;
const kD = 64u;
const kHeads = 9u;
const kKvHeads = 3u;
const kGroup = 3u;   // heads that share a kv head
const kEach = 3u;    // of them, how many a workgroup makes, at most 4
const kSubgroup = 32u;  // lanes of a subgroup, a multiple of kD / 8
const kThreads = 256u;
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
const kScale = 0.125f;
const kCap = 0.0f;
// end

@group(0) @binding(0) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> k: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;  // kD sums, largest score, weight
@group(0) @binding(4) var<storage, read> step: array<i32>;

const kLanes = kD / 8u;
const kLevels = countTrailingZeros(kLanes);  // kLanes is a power of two
const kGroups = kThreads / kLanes;       // of lanes, each with every kGroups-th cell
const kSubgroups = kThreads / kSubgroup;
const kChunks = (kGroup + kEach - 1u) / kEach;

// Of the 8 dimensions of a lane, a value for each of four heads.
struct Eight {
  d0: vec4<f32>,
  d1: vec4<f32>,
  d2: vec4<f32>,
  d3: vec4<f32>,
  d4: vec4<f32>,
  d5: vec4<f32>,
  d6: vec4<f32>,
  d7: vec4<f32>,
}

var<workgroup> tops: array<vec4<f32>, kSubgroups>;
var<workgroup> weights: array<vec4<f32>, kSubgroups>;
var<workgroup> sums: array<vec4<f32>, kSubgroups * kD>;  // [subgroup][dimension]

// Dimensions 4i … 4i + 3 of the workgroup's heads: a row a head. Beyond the last head: that one again.
fn queries(kv_head: u32, first: u32, i: u32) -> mat4x4<f32> {
  let base = (kv_head * kGroup + first) * (kD / 4u) + i;
  let last = min(kEach, kGroup - first) - 1u;
  const stride = kD / 4u;
  return mat4x4(q[base], q[base + min(1u, last) * stride], q[base + min(2u, last) * stride],
                q[base + min(3u, last) * stride]);
}

fn score(a: Eight, key: vec4<u32>) -> vec4<f32> {
  let x = unpack2x16float(key.x);
  let y = unpack2x16float(key.y);
  let z = unpack2x16float(key.z);
  let w = unpack2x16float(key.w);
  return a.d0 * x.x + a.d1 * x.y + a.d2 * y.x + a.d3 * y.y + a.d4 * z.x + a.d5 * z.y + a.d6 * w.x + a.d7 * w.y;
}

fn add_value(a: Eight, p: vec4<f32>, value: vec4<u32>) -> Eight {
  let x = unpack2x16float(value.x);
  let y = unpack2x16float(value.y);
  let z = unpack2x16float(value.z);
  let w = unpack2x16float(value.w);
  return Eight(a.d0 + p * x.x, a.d1 + p * x.y, a.d2 + p * y.x, a.d3 + p * y.y, a.d4 + p * z.x, a.d5 + p * z.y,
               a.d6 + p * w.x, a.d7 + p * w.y);
}

fn scaled(a: Eight, f: vec4<f32>) -> Eight {
  return Eight(a.d0 * f, a.d1 * f, a.d2 * f, a.d3 * f, a.d4 * f, a.d5 * f, a.d6 * f, a.d7 * f);
}

fn across(a: Eight, width: u32) -> Eight {
  return Eight(a.d0 + subgroupShuffleXor(a.d0, width), a.d1 + subgroupShuffleXor(a.d1, width),
               a.d2 + subgroupShuffleXor(a.d2, width), a.d3 + subgroupShuffleXor(a.d3, width),
               a.d4 + subgroupShuffleXor(a.d4, width), a.d5 + subgroupShuffleXor(a.d5, width),
               a.d6 + subgroupShuffleXor(a.d6, width), a.d7 + subgroupShuffleXor(a.d7, width));
}

// Added up over the lanes of a cell, and hidden where the cell is not seen.
fn whole(part: vec4<f32>, visible: bool) -> vec4<f32> {
  var s = part;
  for (var level = 0u; level < kLevels; level++) {
    s += subgroupShuffleXor(s, 1u << level);
  }
  return select(vec4(kNoScore), capped(s), visible);
}

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let kv_head = group.x / kChunks;
  let first = group.x % kChunks * kEach;
  let range = seen(0u);
  let split = split_of(range.y);
  let begin = max(group.y * split, range.x);
  let end = min((group.y + 1u) * split, range.y);
  if (begin >= end) {
    return;  // attention_combine leaves this split out too
  }
  let lane = thread % kLanes;
  let own = thread / kLanes;
  let row = key_row(0u, kv_head);
  let d = lane * 8u;
  let low = transpose(queries(kv_head, first, lane * 2u)) * kScale;
  let high = transpose(queries(kv_head, first, lane * 2u + 1u)) * kScale;
  let a = Eight(low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]);
  var sum = Eight();
  var top = vec4(kNoScore);
  var weight = vec4(0.0);
  for (var base = begin; base < end; base += 4u * kGroups) {
    let cell = base + own;
    let at0 = (row + min(cell, end - 1u)) * kLanes + lane;
    let at1 = (row + min(cell + kGroups, end - 1u)) * kLanes + lane;
    let at2 = (row + min(cell + 2u * kGroups, end - 1u)) * kLanes + lane;
    let at3 = (row + min(cell + 3u * kGroups, end - 1u)) * kLanes + lane;
    let k0 = k[at0];
    let k1 = k[at1];
    let k2 = k[at2];
    let k3 = k[at3];
    let v0 = v[at0];
    let v1 = v[at1];
    let v2 = v[at2];
    let v3 = v[at3];
    let s0 = whole(score(a, k0), cell < end);
    let s1 = whole(score(a, k1), cell + kGroups < end);
    let s2 = whole(score(a, k2), cell + 2u * kGroups < end);
    let s3 = whole(score(a, k3), cell + 3u * kGroups < end);
    let most = max(max(top, max(s0, s1)), max(s2, s3));
    let factor = exp(top - most);
    top = most;
    // A cell that is not seen has weight 0 also where nothing was seen yet.
    let p0 = select(vec4(0.0), exp(s0 - most), cell < end);
    let p1 = select(vec4(0.0), exp(s1 - most), cell + kGroups < end);
    let p2 = select(vec4(0.0), exp(s2 - most), cell + 2u * kGroups < end);
    let p3 = select(vec4(0.0), exp(s3 - most), cell + 3u * kGroups < end);
    weight = weight * factor + ((p0 + p1) + (p2 + p3));
    sum = add_value(add_value(add_value(add_value(scaled(sum, factor), p0, v0), p1, v1), p2, v2), p3, v3);
  }
  // The cells of a subgroup meet by shuffles, the subgroups in workgroup memory.
  var most = top;
  for (var width = kLanes; width < kSubgroup; width *= 2u) {
    most = max(most, subgroupShuffleXor(most, width));
  }
  let factor = exp(top - most);
  weight *= factor;
  sum = scaled(sum, factor);
  for (var width = kLanes; width < kSubgroup; width *= 2u) {
    weight += subgroupShuffleXor(weight, width);
    sum = across(sum, width);
  }
  let subgroup = thread / kSubgroup;
  if (thread % kSubgroup < kLanes) {
    let to = subgroup * kD + d;
    sums[to] = sum.d0;
    sums[to + 1u] = sum.d1;
    sums[to + 2u] = sum.d2;
    sums[to + 3u] = sum.d3;
    sums[to + 4u] = sum.d4;
    sums[to + 5u] = sum.d5;
    sums[to + 6u] = sum.d6;
    sums[to + 7u] = sum.d7;
    if (lane == 0u) {
      tops[subgroup] = most;
      weights[subgroup] = weight;
    }
  }
  workgroupBarrier();
  for (var i = thread; i < kD; i += kThreads) {
    var highest = vec4(kNoScore);
    for (var g = 0u; g < kSubgroups; g++) {
      highest = max(highest, tops[g]);
    }
    var result = vec4(0.0);
    var total = vec4(0.0);
    for (var g = 0u; g < kSubgroups; g++) {
      let share = exp(tops[g] - highest);
      result += share * sums[g * kD + i];
      total += share * weights[g];
    }
    for (var h = 0u; h < min(kEach, kGroup - first); h++) {
      let out_row = kv_head * kGroup + first + h;
      let at = (out_row * kSplits + group.y) * (kD + 2u);
      partials[at + i] = result[h];
      if (i == 0u) {
        partials[at + kD] = highest[h];
        partials[at + kD + 1u] = total[h];
      }
    }
  }
}
