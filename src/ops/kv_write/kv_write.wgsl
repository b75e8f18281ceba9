// uses: exact
// kv_write: state[slots[t], k, cells[t], :] = x[t, k, :], rounded to the state's type. Where rows are no whole words (f16
// of odd width, an odd number of q8_0 blocks), neighbours share a word and each sets its half of it atomically.
// specialise
const kType = 1u;       // of the state: 0 f32, 1 f16, 2 q8_0
const kD = 64u;         // elements of a row
const kRowItems = 32u;  // what threads take of a row: elements (f32, f16 of odd width), pairs (f16), blocks of 32 (q8_0)
const kHeads = 3u;
const kT = 1u;
const kTWord = 0u;
const kN = 1u;  // slots
const kNWord = 1u;
const kS = 1u;  // cells
const kSWord = 2u;
const kSlots = 16u;  // where slots and cells of the tokens lie in the step buffer
const kCells = 20u;
const kItems = 64u;  // a workgroup
// end

@group(0) @binding(0) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<i32>;

fn put_half(at: u32, half: u32) {
  let shift = at % 2u * 16u;
  atomicAnd(&state[at / 2u], ~(0xffffu << shift));
  atomicOr(&state[at / 2u], half << shift);
}

// Halfword i of the block of values that begins at x[source]: the scale, then two values each.
fn block_half(i: u32, scale: u32, inverse: f32, source: u32) -> u32 {
  if (i == 0u) {
    return scale;
  }
  let a = i32(round(x[source + i * 2u - 2u] * inverse));
  let b = i32(round(x[source + i * 2u - 1u] * inverse));
  return (u32(a) & 255u) | ((u32(b) & 255u) << 8u);
}

fn put_block(block: u32, source: u32) {
  var top = 0.0;
  for (var i = 0u; i < 32u; i++) {
    top = max(top, abs(x[source + i]));
  }
  let scale = exact_half(exact_by_127(top));
  let inverse = exact_127_over(top);
  let begin = block * 17u;  // in halfwords; 8 whole words from `skip` on, and one half before or behind them
  let skip = begin % 2u;
  for (var i = skip; i < skip + 16u; i += 2u) {
    let word = block_half(i, scale, inverse, source) | (block_half(i + 1u, scale, inverse, source) << 16u);
    atomicStore(&state[(begin + i) / 2u], word);
  }
  let alone = select(16u, 0u, skip == 1u);
  put_half(begin + alone, block_half(alone, scale, inverse, source));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let slots = kN * u32(step[kNWord]);
  let cells = kS * u32(step[kSWord]);
  let end = min((group.x + 1u) * kItems, kT * u32(step[kTWord]) * kHeads * kRowItems);
  for (var item = group.x * kItems + thread; item < end; item += 64u) {
    let row = item / kRowItems;
    let i = item % kRowItems;
    let slot = u32(step[kSlots + row / kHeads]);
    let cell = u32(step[kCells + row / kHeads]);
    if (slot >= slots || cell >= cells) {
      continue;
    }
    let to = ((slot * kHeads + row % kHeads) * cells + cell) * kRowItems + i;
    if (kType == 0u) {
      atomicStore(&state[to], bitcast<u32>(x[item]));
    } else if (kType == 2u) {
      put_block(to, item * 32u);
    } else if (kRowItems == kD) {
      put_half(to, exact_half(x[item]));
    } else {
      atomicStore(&state[to], exact_half(x[item * 2u]) | (exact_half(x[item * 2u + 1u]) << 16u));
    }
  }
}
