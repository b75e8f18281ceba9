// uses: attention_split, attention_range, attention_cut
// attention for few rows (decode) over keys and values of f32 or f16, split over the cells.
// specialise
const kType = 1u;  // of keys and values: 0 f32, 1 f16
const kD = 64u;
const kHeads = 9u;
const kKvHeads = 3u;
const kGroup = 3u;    // heads that share a kv head
const kQuads = 1u;    // heads of a workgroup / 4
const kTile = 256u;   // threads, and cells at a time
const kSplit = 512u;  // cells of a workgroup, a multiple of kTile
const kSplits = 4u;   // the most there are
const kCombine = 1u;  // 0: never, 1: above kSplit cells in use, 2: always
const kUnit = 4u;     // dimensions of 8 bytes
const kParts = 1u;    // of a key, 8 loads each
const kPlain = false;
const kN = 1u;  // slots
const kNWord = 1u;
const kS = 1u;  // cells
const kSWord = 2u;
const kSlots = 16u;
const kCells = 20u;
const kLength = 8u;
const kWindow = 0u;
const kScale = 0.125f;
const kCap = 0.0f;
// end

@group(0) @binding(0) var<storage, read_write> q: array<f32>;
@group(0) @binding(1) var<storage, read_write> k: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> v: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
@group(0) @binding(5) var<storage, read> step: array<i32>;

const kLoad = select(4u, 8u, kType == 1u);  // dimensions of 16 bytes
alias Key = array<vec4<u32>, 8>;

fn load_key(row: u32, part: u32) -> Key {
  var key: Key;
  for (var i = 0u; i < 8u; i++) {
    if ((part * 8u + i) * kLoad < kD) {
      key[i] = k[row * (kD / kLoad) + part * 8u + i];
    }
  }
  return key;
}

fn add_four(d: u32, key: vec4<f32>, s: ptr<function, Quads>) {
  for (var h = 0u; h < kQuads; h++) {
    let at = h * kD + d;
    (*s)[h] += queries[at] * key.x + queries[at + 1u] * key.y + queries[at + 2u] * key.z + queries[at + 3u] * key.w;
  }
}

fn add_scores(key: Key, part: u32, s: ptr<function, Quads>) {
  for (var i = 0u; i < 8u; i++) {
    let d = (part * 8u + i) * kLoad;
    if (d >= kD) {
      break;
    }
    if (kType == 0u) {
      add_four(d, bitcast<vec4<f32>>(key[i]), s);
    } else {
      add_four(d, vec4(unpack2x16float(key[i].x), unpack2x16float(key[i].y)), s);
      add_four(d + 4u, vec4(unpack2x16float(key[i].z), unpack2x16float(key[i].w)), s);
    }
  }
}

fn load_value(row: u32, lane: u32) -> vec2<u32> {
  return v[row * (kD / kUnit) + lane];
}

fn unpack_value(packed: vec2<u32>) -> vec4<f32> {
  if (kType == 0u) {
    return vec4(bitcast<vec2<f32>>(packed), 0.0, 0.0);
  }
  return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
}

@compute @workgroup_size(kTile)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  attend(group, thread);
}
