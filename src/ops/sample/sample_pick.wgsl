// uses: sample_parts, sample_pool
// The last stage of sampling, one workgroup: finds the token, writes it where the next step reads its input, records it
// for the host, and makes it part of the history.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
const kRecords = 512u;
const kAdvance = true;
const kLengthWord = 8u;
const kIds = i32(16);
const kPositions = i32(17);
const kPositionAxes = 1u;
const kCells = i32(18);
// end

const kPoolWords = kScratchWords;

@group(0) @binding(2) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read> slices: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> records: array<u32>;
@group(0) @binding(6) var<storage, read_write> step: array<i32>;
// The count of each token, then a ring of the last `window` tokens.
@group(0) @binding(7) var<storage, read_write> history: array<u32>;

// The token at which the running sum of masses, or of logits equal to the drawn one, reaches its limit, in order of id.
fn draw(thread: u32, top: u32) -> u32 {
  let ranked = has(kRanked);
  const kEach = (kSlices + 255u) / 256u;
  var own = Sum(0u, vec2<u32>(0u));
  for (var i = 0u; i < kEach; i++) {
    let slice = thread * kEach + i;
    if (slice < kSlices) { own.mass = wide_add(own.mass, slices[slice]); }
  }
  let scanned = scan(thread, own);
  var limit = Limit(false, vec2<u32>(state[kDrawnTie], 0u));
  if (!ranked) { limit.amount = drawn_limit(scanned.total.mass); }
  var sum = scanned.before;
  if (!reached(sum, limit)) {
    for (var i = 0u; i < kEach; i++) {
      let slice = thread * kEach + i;
      if (slice >= kSlices) { break; }
      let next = Sum(0u, wide_add(sum.mass, slices[slice]));
      if (reached(next, limit)) {
        tell(Place(slice, sum, sum));
        break;
      }
      sum = next;
    }
  }
  let place = told();

  const kIn = kSlice / 256u;
  let first = place.at * kSlice + thread * kIn;
  let drawn = state[kDrawnKey];
  var parts: array<vec2<u32>, kIn>;
  own = Sum(0u, vec2<u32>(0u));
  for (var i = 0u; i < kIn; i++) {
    parts[i] = vec2<u32>(0u);
    if (first + i < kVocab) {
      let key = key_of(values[first + i]);
      if (ranked) {
        parts[i].x = select(0u, 1u, key == drawn);
      } else {
        parts[i] = mass_at(key, top);
      }
    }
    own.mass = wide_add(own.mass, parts[i]);
  }
  sum = plus(place.before, scan(thread, own).before);
  if (!reached(sum, limit)) {
    for (var i = 0u; i < kIn; i++) {
      sum.mass = wide_add(sum.mass, parts[i]);
      if (reached(sum, limit)) {
        tell(Place(first + i, sum, sum));
        break;
      }
    }
  }
  return told().at;
}

fn remember(id: u32) {
  history[id] += 1u;
  if (options.window == 0u) { return; }
  let size = state[kHistorySize];
  if (size < options.window) {
    history[kVocab + size] = id;
    state[kHistorySize] = size + 1u;
    return;
  }
  let oldest = state[kHistoryOldest];
  history[min(history[kVocab + oldest], kVocab - 1u)] -= 1u;
  history[kVocab + oldest] = id;
  state[kHistoryOldest] = select(oldest + 1u, 0u, oldest + 1u == options.window);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  let top = best_of_slices(thread);
  var id = top.id;
  if (has(kDraws)) { id = draw(thread, top.key); }
  if (thread > 0u) { return; }

  let valid = is_finite(top.key);
  id = select(0u, min(id, kVocab - 1u), valid);  // a step with any id does no harm: the host will stop at the record
  let at = (state[kSampled] & (kRecords - 1u)) * (2u + 2u * options.best);
  records[at] = select(select(0xffffffffu, 0xfffffffeu, is_finite(top.raw)), id, valid);
  state[kSampled] += 1u;
  if (valid && has(kPenalties)) { remember(id); }
  if (kIds >= 0) { step[kIds] = i32(id); }
  if (kAdvance) {
    step[kLengthWord] += 1;
    if (kCells >= 0) { step[kCells] += 1; }
    if (kPositions >= 0) {
      for (var axis = 0u; axis < kPositionAxes; axis++) { step[u32(kPositions) + axis] += 1; }
    }
  }
}
