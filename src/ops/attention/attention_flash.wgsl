// uses: attention_range
// attention for many rows (prefill): a workgroup takes kRows rows (heads that share a kv head x consecutive tokens) and
// goes through the keys in tiles of kKeys in workgroup memory, with a running softmax a row. kParts threads share a row,
// each with kPart of its dimensions in registers, so that a product needs one 16-byte read that all threads share.
// A tile that a row must not see changes none of its bits, so a result does not depend on the rows beside it.
// specialise
const kType = 1u;  // of keys and values: 0 f32, 1 f16, 2 q8_0
const kD = 64u;
const kPart = 64u;  // dimensions of a thread, a multiple of 4; kParts * kPart >= kD
const kParts = 1u;  // a power of 2
const kThreads = 128u;
const kKeys = 16u;  // of a tile, a multiple of 4
const kHeads = 9u;
const kKvHeads = 3u;
const kGroup = 3u;
const kT = 1u;
const kTWord = 0u;
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

@group(0) @binding(0) var<storage, read_write> q: array<f32>;
@group(0) @binding(1) var<storage, read_write> k: array<u32>;
@group(0) @binding(2) var<storage, read_write> v: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> step: array<i32>;

const kRows = kThreads / kParts;
const kVectors = kPart / 4u;                                          // of a thread
const kTileVectors = kParts * kVectors;                               // of a key
const kLoads = (kKeys * kTileVectors + kThreads - 1u) / kThreads;     // of keys by a thread, and of values
const kExchange = select(1u, 2u * kThreads, kParts > 1u);
alias Part = array<vec4<f32>, kVectors>;

var<workgroup> key_tile: array<vec4<f32>, kKeys * kTileVectors>;
var<workgroup> value_tile: array<vec4<f32>, kKeys * kTileVectors>;
var<workgroup> exchange: array<vec4<f32>, kExchange>;
var<workgroup> next_slot: atomic<u32>;
var<workgroup> lowest: atomic<u32>;
var<workgroup> highest: atomic<u32>;
var<workgroup> work: vec3<u32>;  // slot, first and end of the cells to go through

fn word(values: bool, at: u32) -> u32 {
  if (values) {
    return v[at];
  }
  return k[at];
}

fn half(values: bool, at: u32) -> u32 {
  return (word(values, at / 2u) >> (at % 2u * 16u)) & 0xffffu;
}

// Dimensions d … d + 3 of a row as they are stored; those from kD on are 0.
fn load(values: bool, row: u32, d: u32) -> vec4<u32> {
  var packed = vec4(0u);
  if (d >= kD) {
    return packed;
  }
  let at = row * kD + d;
  if (kType == 2u) {
    let block = (row * (kD / 32u) + d / 32u) * 17u;
    let quants = block + 1u + d % 32u / 2u;
    return vec4(half(values, quants) | (half(values, quants + 1u) << 16u), half(values, block), 0u, 0u);
  }
  if (kType == 1u && kD % 4u == 0u) {
    return vec4(word(values, at / 2u), word(values, at / 2u + 1u), 0u, 0u);
  }
  if (kType == 0u && kD % 4u == 0u) {
    return vec4(word(values, at), word(values, at + 1u), word(values, at + 2u), word(values, at + 3u));
  }
  for (var i = 0u; i < min(4u, kD - d); i++) {
    if (kType == 0u) {
      packed[i] = word(values, at + i);
    } else {
      packed[i / 2u] |= half(values, at + i) << (i % 2u * 16u);
    }
  }
  return packed;
}

fn unpack(packed: vec4<u32>) -> vec4<f32> {
  if (kType == 0u) {
    return bitcast<vec4<f32>>(packed);
  }
  if (kType == 1u) {
    return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
  }
  let w = bitcast<i32>(packed.x);
  let quants = vec4(extractBits(w, 0u, 8u), extractBits(w, 8u, 8u), extractBits(w, 16u, 8u), extractBits(w, 24u, 8u));
  return vec4<f32>(quants) * unpack2x16float(packed.y).x;
}

fn query_at(row: u32, d: u32) -> f32 {
  if (kPart * kParts > kD && d >= kD) {
    return 0.0;
  }
  return q[row + d] * kScale;
}

fn put(row: u32, d: u32, value: f32) {
  if (kPart * kParts == kD || d < kD) {
    y[row + d] = value;
  }
}

fn score(query: ptr<function, Part>, part: u32, key: u32) -> f32 {
  var sum = vec4(0.0);
  for (var i = 0u; i < kVectors; i++) {
    sum += (*query)[i] * key_tile[key * kTileVectors + part * kVectors + i];
  }
  return sum.x + sum.y + sum.z + sum.w;
}

fn add_value(sum: ptr<function, Part>, part: u32, key: u32, weight: f32) {
  for (var i = 0u; i < kVectors; i++) {
    (*sum)[i] += weight * value_tile[key * kTileVectors + part * kVectors + i];
  }
}

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let kv_head = group.x;
  let line = thread % kRows;
  let part = thread / kRows;
  let row = group.y * kRows + line;
  let token = row / kGroup;
  let exists = token < kT * u32(step[kTWord]);
  let q_row = (token * kHeads + kv_head * kGroup + row % kGroup) * kD;

  // Only ever indexed by loops of constant length, so that compilers keep them in registers.
  var query: Part;
  var sum: Part;
  var total = 0.0;
  var top = kNoScore;
  var range = vec2(0u);
  var slot = 0u;
  if (exists) {
    range = seen(token);
    if (!kPlain) {
      slot = min(u32(step[kSlots + token]), kN * u32(step[kNWord]) - 1u);
    }
    for (var i = 0u; i < kVectors; i++) {
      let d = part * kPart + i * 4u;
      query[i] = vec4(query_at(q_row, d), query_at(q_row, d + 1u), query_at(q_row, d + 2u), query_at(q_row, d + 3u));
    }
  }
  var waiting = exists;
  loop {
    // The rows of one slot after those of another: as a rule all have the same.
    if (thread == 0u) {
      atomicStore(&next_slot, 0xffffffffu);
      atomicStore(&lowest, 0xffffffffu);
      atomicStore(&highest, 0u);
    }
    workgroupBarrier();
    if (waiting) {
      atomicMin(&next_slot, slot);
    }
    workgroupBarrier();
    let mine = waiting && slot == atomicLoad(&next_slot);
    if (mine) {
      atomicMin(&lowest, range.x);
      atomicMax(&highest, range.y);
    }
    workgroupBarrier();
    if (thread == 0u) {
      work = vec3(atomicLoad(&next_slot), atomicLoad(&lowest), atomicLoad(&highest));
    }
    let now = workgroupUniformLoad(&work);
    if (now.x == 0xffffffffu) {
      break;
    }
    waiting = waiting && !mine;
    let keys = select((now.x * kKvHeads + kv_head) * keys_in_all(), kv_head, kPlain);
    let stride = key_stride();
    let begin = select(0xffffffffu, range.x, mine);
    let last = now.z - 1u;
    let first_tile = now.y / kKeys * kKeys;

    // Keys and values of the next tile are on their way while this one is computed.
    var next_keys: array<vec4<u32>, kLoads>;
    var next_values: array<vec4<u32>, kLoads>;
    for (var i = 0u; i < kLoads; i++) {
      let at = i * kThreads + thread;
      let from_row = keys + min(first_tile + at / kTileVectors, last) * stride;
      next_keys[i] = load(false, from_row, at % kTileVectors * 4u);
      next_values[i] = load(true, from_row, at % kTileVectors * 4u);
    }
    for (var tile = first_tile; tile <= last; tile += kKeys) {
      workgroupBarrier();
      for (var i = 0u; i < kLoads; i++) {
        let at = i * kThreads + thread;
        if (at < kKeys * kTileVectors) {
          key_tile[at] = unpack(next_keys[i]);
          value_tile[at] = unpack(next_values[i]);
        }
      }
      workgroupBarrier();
      if (tile + kKeys <= last) {
        for (var i = 0u; i < kLoads; i++) {
          let at = i * kThreads + thread;
          let from_row = keys + min(tile + kKeys + at / kTileVectors, last) * stride;
          next_keys[i] = load(false, from_row, at % kTileVectors * 4u);
          next_values[i] = load(true, from_row, at % kTileVectors * 4u);
        }
      }
      for (var key = 0u; key < kKeys; key += 4u) {
        var s = vec4(0.0);
        for (var j = 0u; j < 4u; j++) {
          s[j] = score(&query, part, key + j);
        }
        if (kParts > 1u) {
          // Two buffers by turns: nobody is more than one barrier ahead.
          let buffer = key / 4u % 2u * kThreads;
          exchange[buffer + thread] = s;
          workgroupBarrier();
          s = exchange[buffer + line];
          for (var p = 1u; p < kParts; p++) {
            s += exchange[buffer + p * kRows + line];
          }
        }
        let cells = tile + key + vec4(0u, 1u, 2u, 3u);
        let visible = (cells >= vec4(begin)) & (cells < vec4(range.y));
        s = select(vec4(kNoScore), capped(s), visible);
        let new_top = max(max(max(s.x, s.y), max(s.z, s.w)), top);
        if (new_top > top) {
          let factor = exp(top - new_top);
          total *= factor;
          for (var i = 0u; i < kVectors; i++) {
            sum[i] *= factor;
          }
          top = new_top;
        }
        let p = select(vec4(0.0), exp(s - top), visible);
        total += p.x + p.y + p.z + p.w;
        for (var j = 0u; j < 4u; j++) {
          add_value(&sum, part, key + j, p[j]);
        }
      }
    }
  }
  if (exists) {
    let inverse = select(0.0, 1.0 / total, total > 0.0);
    for (var i = 0u; i < kVectors; i++) {
      let d = part * kPart + i * 4u;
      let result = sum[i] * inverse;
      put(q_row, d, result.x);
      put(q_row, d + 1u, result.y);
      put(q_row, d + 2u, result.z);
      put(q_row, d + 3u, result.w);
    }
  }
}
