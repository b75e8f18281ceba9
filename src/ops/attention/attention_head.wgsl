// uses: attention_range
// attention for one row over a cache of f16, where a subgroup has as many lanes as a key has pieces of 16 bytes: kLanes
// neighbouring threads hold 8 dimensions each of a cell's key and value, read together, 16 bytes a thread. Scores meet
// by shuffles, so nothing waits at a barrier until the cells are done; then the thread groups put their parts together.
// One workgroup a head sees all its cells: for short contexts.
// specialise
enable subgroups;
const kD = 64u;
const kHeads = 9u;
const kKvHeads = 3u;
const kGroup = 3u;   // heads that share a kv head
const kThreads = 256u;
const kUnroll = 4u;  // cells of a thread whose loads are under way together
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
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> step: array<i32>;

const kLanes = kD / 8u;
const kGroups = kThreads / kLanes;

struct Eight { a: vec4<f32>, b: vec4<f32> }

fn halves(w: vec4<u32>) -> Eight {
  return Eight(vec4(unpack2x16float(w.x), unpack2x16float(w.y)), vec4(unpack2x16float(w.z), unpack2x16float(w.w)));
}

var<workgroup> tops: array<f32, kGroups>;
var<workgroup> weights: array<f32, kGroups>;
var<workgroup> sums: array<vec4<f32>, kThreads * 2u>;  // [group][dimension / 4]

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let head = group.x;
  let range = seen(0u);
  let begin = range.x;
  let end = range.y;
  let lane = thread % kLanes;
  let own = thread / kLanes;
  let row = key_row(0u, head / kGroup);
  let query = Eight(q[head * (kD / 4u) + lane * 2u] * kScale, q[head * (kD / 4u) + lane * 2u + 1u] * kScale);
  var sum = Eight();
  var top = kNoScore;
  var weight = 0.0;
  for (var base = begin; base < end; base += kGroups * kUnroll) {
    var keys: array<vec4<u32>, kUnroll>;
    var values: array<vec4<u32>, kUnroll>;
    for (var u = 0u; u < kUnroll; u++) {
      keys[u] = k[(row + min(base + own + u * kGroups, end - 1u)) * kLanes + lane];
    }
    for (var u = 0u; u < kUnroll; u++) {
      values[u] = v[(row + min(base + own + u * kGroups, end - 1u)) * kLanes + lane];
    }
    var s = array<f32, kUnroll>();
    for (var u = 0u; u < kUnroll; u++) {
      let key = halves(keys[u]);
      s[u] = dot(query.a, key.a) + dot(query.b, key.b);
    }
    for (var width = 1u; width < kLanes; width *= 2u) {
      for (var u = 0u; u < kUnroll; u++) {
        s[u] += subgroupShuffleXor(s[u], width);
      }
    }
    var most = top;
    for (var u = 0u; u < kUnroll; u++) {
      s[u] = select(kNoScore, capped(vec4(s[u])).x, base + own + u * kGroups < end);
      most = max(most, s[u]);
    }
    let factor = exp(top - most);
    top = most;
    weight *= factor;
    sum.a *= factor;
    sum.b *= factor;
    for (var u = 0u; u < kUnroll; u++) {
      let p = select(0.0, exp(s[u] - most), base + own + u * kGroups < end);
      let value = halves(values[u]);
      weight += p;
      sum.a += p * value.a;
      sum.b += p * value.b;
    }
  }
  if (lane == 0u) {
    tops[own] = top;
    weights[own] = weight;
  }
  sums[thread * 2u] = sum.a;
  sums[thread * 2u + 1u] = sum.b;
  workgroupBarrier();
  for (var d = thread; d < kD; d += kThreads) {
    var highest = kNoScore;
    for (var g = 0u; g < kGroups; g++) {
      highest = max(highest, tops[g]);
    }
    var result = 0.0;
    var total = 0.0;
    for (var g = 0u; g < kGroups; g++) {
      let share = exp(tops[g] - highest);
      result += share * sums[g * (kD / 4u) + d / 4u][d % 4u];
      total += share * weights[g];
    }
    y[head * kD + d] = result / total;
  }
}
