// uses: attention_split, attention_range, attention_cut
// attention for few rows (decode) over a cache of q8_0, split over the cells. A block is 17 halfwords: an f16 scale and 32
// bytes; it begins within a word as often as not.
// specialise
const kD = 64u;
const kHeads = 9u;
const kKvHeads = 3u;
const kGroup = 3u;    // heads that share a kv head
const kQuads = 1u;    // heads of a workgroup / 4
const kTile = 256u;   // threads, and cells at a time
const kSplit = 512u;  // cells of a workgroup, a multiple of kTile
const kSplits = 4u;   // the most there are
const kCombine = 1u;  // 0: never, 1: above kSplit cells in use, 2: always
const kUnit = 4u;
const kParts = 2u;  // blocks of a key
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
@group(0) @binding(1) var<storage, read_write> k: array<u32>;
@group(0) @binding(2) var<storage, read_write> v: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;
@group(0) @binding(5) var<storage, read> step: array<i32>;

struct Key {
  words: array<u32, 9>,
  odd: bool,  // the block begins in the upper half of the first word
}

fn load_key(row: u32, part: u32) -> Key {
  let begin = (row * kParts + part) * 17u;
  var key: Key;
  key.odd = begin % 2u == 1u;
  for (var i = 0u; i < 9u; i++) {
    key.words[i] = k[begin / 2u + i];
  }
  return key;
}

fn bytes_of(word: u32) -> vec4<f32> {
  let w = bitcast<i32>(word);
  return vec4<f32>(vec4(extractBits(w, 0u, 8u), extractBits(w, 8u, 8u), extractBits(w, 16u, 8u), extractBits(w, 24u, 8u)));
}

fn add_scores(key: Key, part: u32, s: ptr<function, Quads>) {
  let scale = unpack2x16float(select(key.words[0], key.words[0] >> 16u, key.odd)).x;
  for (var h = 0u; h < kQuads; h++) {
    var sum = vec4(0.0);
    for (var i = 0u; i < 8u; i++) {
      let quants =
          bytes_of(select((key.words[i] >> 16u) | (key.words[i + 1u] << 16u), key.words[i + 1u], key.odd));
      let at = h * kD + part * 32u + i * 4u;
      sum += queries[at] * quants.x + queries[at + 1u] * quants.y + queries[at + 2u] * quants.z +
             queries[at + 3u] * quants.w;
    }
    (*s)[h] += sum * scale;
  }
}

fn value_half(at: u32) -> u32 {
  return (v[at / 2u] >> (at % 2u * 16u)) & 0xffffu;
}

// The bytes, and the scale.
fn load_value(row: u32, lane: u32) -> vec2<u32> {
  let block = (row * kParts + lane / 8u) * 17u;
  let at = block + 1u + lane % 8u * 2u;
  return vec2(value_half(at) | (value_half(at + 1u) << 16u), value_half(block));
}

fn unpack_value(packed: vec2<u32>) -> vec4<f32> {
  return bytes_of(packed.x) * unpack2x16float(packed.y).x;
}

@compute @workgroup_size(kTile)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  attend(group, thread);
}
