// Attention of one row by splits of the keys: the body of attention_decode and attention_decode_q8, which say how keys and
// values are read. A workgroup of kTile threads takes a split of one kv head's cells for up to 4 * kQuads of the heads that
// share it, kTile cells at a time: a thread has one cell's key, later one lane of kUnit dimensions of some cells' values.
// All loads of a tile are issued before anything is computed. Vectors of four go across heads.
//   alias Key, fn load_key(row, part) -> Key   part `part` of kParts of a key
//   fn add_scores(key, part, s)                adds its products with `queries` to the scores
//   fn load_value(row, lane) -> vec2<u32>      dimensions lane * kUnit … of a value, packed
//   fn unpack_value(packed) -> vec4<f32>       the first kUnit count

const kLanes = kD / kUnit;
const kGroups = kTile / kLanes;                      // of threads, each with every kGroups-th cell of a tile
const kCellsEach = (kTile + kGroups - 1u) / kGroups;
const kAhead = min(kCellsEach, 16u);                 // values loaded before the keys are used
const kHeadsEach = 4u * kQuads;                      // of a workgroup
const kChunks = (kGroup + kHeadsEach - 1u) / kHeadsEach;
alias Quads = array<vec4<f32>, kQuads>;

var<workgroup> queries: array<vec4<f32>, kQuads * kD>;  // [quad][dimension]
var<workgroup> scores: array<vec4<f32>, 2u * kTile>;    // [quad][cell] of a tile; at the end [2 dimensions][thread]
var<workgroup> maxima: array<vec4<f32>, kQuads * 16u>;
var<workgroup> totals: array<vec4<f32>, kQuads * kGroups>;

fn attend(group: vec3<u32>, thread: u32) {
  let kv_head = group.x / kChunks;
  let first_head = group.x % kChunks * kHeadsEach;  // of the heads that share the kv head
  let t = group.z;
  let range = seen(t);
  let split = split_of(range.y);
  let split_end = min((group.y + 1u) * split, range.y);
  let begin = max(group.y * split, range.x);
  if (begin >= split_end) {
    return;  // attention_combine leaves this split out too
  }
  let row = key_row(t, kv_head);
  let stride = key_stride();
  let lane = thread % kLanes;
  let cells = thread / kLanes;  // the first of this thread's cells of a tile

  var total: Quads;
  var top: Quads;
  var sum: array<vec4<f32>, kQuads * kUnit>;
  for (var h = 0u; h < kQuads; h++) {
    top[h] = vec4(kNoScore);
  }
  for (var tile = begin / kTile * kTile; tile < split_end; tile += kTile) {
    let cell = tile + thread;
    let key_at = row + min(cell, split_end - 1u) * stride;
    let key = load_key(key_at, 0u);
    var ahead: array<vec2<u32>, kAhead>;
    for (var i = 0u; i < kAhead; i++) {
      ahead[i] = load_value(row + min(tile + cells + i * kGroups, split_end - 1u) * stride, lane);
    }
    if (tile <= begin) {  // the first time
      for (var i = thread; i < kQuads * kD; i += kTile) {
        queries[i] = query_quad(t, kv_head, first_head + i / kD * 4u, i % kD);
      }
    }
    workgroupBarrier();
    var s = Quads();  // zeros at every turn, which a declaration alone is not everywhere
    add_scores(key, 0u, &s);
    for (var part = 1u; part < kParts; part++) {
      add_scores(load_key(key_at, part), part, &s);
    }
    let visible = cell >= begin && cell < split_end;
    for (var h = 0u; h < kQuads; h++) {
      s[h] = select(vec4(kNoScore), capped(s[h]), visible);
      scores[h * kTile + thread] = s[h];
    }
    workgroupBarrier();
    if (thread < 16u * kQuads) {
      var most = vec4(kNoScore);
      for (var i = 0u; i < kTile / 16u; i++) {
        most = max(most, scores[thread / 16u * kTile + i * 16u + thread % 16u]);
      }
      maxima[thread] = most;
    }
    workgroupBarrier();
    for (var h = 0u; h < kQuads; h++) {
      var most = top[h];
      for (var i = 0u; i < 16u; i++) {
        most = max(most, maxima[h * 16u + i]);
      }
      scores[h * kTile + thread] = select(vec4(0.0), exp(s[h] - most), visible);
      let factor = exp(top[h] - most);
      total[h] *= factor;
      for (var d = 0u; d < kUnit; d++) {
        sum[h * kUnit + d] *= factor;
      }
      top[h] = most;
    }
    workgroupBarrier();
    if (cells < kGroups) {
      for (var first = 0u; first < kCellsEach; first += kAhead) {
        if (first > 0u) {
          for (var i = 0u; i < kAhead; i++) {
            ahead[i] = load_value(row + min(tile + cells + (first + i) * kGroups, split_end - 1u) * stride, lane);
          }
        }
        for (var i = 0u; i < kAhead; i++) {
          let at = cells + (first + i) * kGroups;
          if (kTile % kGroups != 0u || kCellsEach % kAhead != 0u) {
            if (at >= kTile) {
              break;
            }
          }
          let value = unpack_value(ahead[i]);
          for (var h = 0u; h < kQuads; h++) {
            let p = scores[h * kTile + at];
            total[h] += p;
            sum[h * kUnit] += p * value.x;
            sum[h * kUnit + 1u] += p * value.y;
            if (kUnit == 4u) {
              sum[h * kUnit + 2u] += p * value.z;
              sum[h * kUnit + 3u] += p * value.w;
            }
          }
        }
      }
    }
    workgroupBarrier();
  }
  finish(t, kv_head, first_head, group.y, thread, total, top, sum);
}

fn query_quad(t: u32, kv_head: u32, head: u32, d: u32) -> vec4<f32> {
  var quad = vec4(0.0);
  for (var i = 0u; i < min(4u, kGroup - min(head, kGroup)); i++) {
    quad[i] = q[(t * kHeads + kv_head * kGroup + head + i) * kD + d] * kScale;
  }
  return quad;
}

// Adds what the thread groups have, two dimensions a lane at a time, and writes it: the result where one split was all,
// else what attention_combine needs.
fn finish(t: u32, kv_head: u32, first_head: u32, split: u32, thread: u32, total: Quads, top: Quads,
          sum: array<vec4<f32>, kQuads * kUnit>) {
  let alone = kCombine == 0u || (kCombine == 1u && u32(step[kLength]) <= kSplit);
  if (thread % kLanes == 0u && thread / kLanes < kGroups) {
    for (var h = 0u; h < kQuads; h++) {
      totals[h * kGroups + thread / kLanes] = total[h];
    }
  }
  for (var h = 0u; h < kQuads; h++) {
    for (var d = 0u; d < kUnit; d += 2u) {
      workgroupBarrier();
      scores[thread] = sum[h * kUnit + d];
      scores[kTile + thread] = sum[h * kUnit + d + 1u];
      workgroupBarrier();
      for (var i = thread; i < kLanes * 8u; i += kTile) {
        let head = first_head + h * 4u + i / (kLanes * 2u);
        if (head >= kGroup) {
          continue;
        }
        let component = i / (kLanes * 2u);
        let lane = i / 2u % kLanes;
        var result = 0.0;
        var weight = 0.0;
        for (var g = 0u; g < kGroups; g++) {
          result += scores[i % 2u * kTile + g * kLanes + lane][component];
          weight += totals[h * kGroups + g][component];
        }
        let out_row = t * kHeads + kv_head * kGroup + head;
        let dimension = lane * kUnit + d + i % 2u;
        if (alone) {
          y[out_row * kD + dimension] = result / weight;
          continue;
        }
        let partial = out_row * kSplits + split;
        partials[partial * (kD + 2u) + dimension] = result;
        if (dimension == 0u) {
          partials[partial * (kD + 2u) + kD] = top[h][component];
          partials[partial * (kD + 2u) + kD + 1u] = weight;
        }
      }
    }
  }
}
