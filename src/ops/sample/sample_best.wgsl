// uses: sample_parts, sample_pool
// Log-probabilities of the token just picked and of the best ones, into its record. One workgroup.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
const kMaxBest = 20u;
const kRecords = 512u;
// end

const kPoolWords = kScratchWords;

@group(0) @binding(2) var<storage, read> logits: array<u32>;
@group(0) @binding(4) var<storage, read> parts: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> records: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  let top = best_of_slices(thread).raw;
  let at = ((state[kSampled] - 1u) & (kRecords - 1u)) * (2u + 2u * options.best);
  var own = Sum(0u, vec2<u32>(0u));
  for (var g = thread; g < kSlices; g += 256u) { own.mass = wide_add(own.mass, parts[g]); }
  let sum = scan(thread, own).total.mass;
  // The best one's own weight is 2^40 of it.
  let log_sum = log(f32(sum.x) * exp2(-40.0) + f32(sum.y) * exp2(-8.0));

  if (thread < kMaxBest) {
    atomicStore(&pool[thread], 0u);
    atomicStore(&pool[kMaxBest + thread], 0xffffffffu);
  }
  workgroupBarrier();
  // Each thread has the sorted lists of a few slices and shows the best of their heads.
  const kLists = (kSlices + 255u) / 256u;
  var heads: array<u32, kLists>;
  for (var i = 0u; i < kLists; i++) { heads[i] = 0u; }
  for (var rank = 0u; rank < options.best; rank++) {
    var mine = vec2<u32>(kNotANumber, 0xffffffffu);
    var list = 0u;
    for (var i = 0u; i < kLists; i++) {
      let slice = i * 256u + thread;
      if (slice >= kSlices || heads[i] >= options.best) { continue; }
      let head = parts[kSlices + slice * kMaxBest + heads[i]];
      if (head.x > mine.x) {  // of equal ones the lower id comes first
        mine = head;
        list = i;
      }
    }
    atomicMax(&pool[rank], mine.x);
    workgroupBarrier();
    let key = atomicLoad(&pool[rank]);
    if (key != kNotANumber && key == mine.x) { atomicMin(&pool[kMaxBest + rank], mine.y); }
    workgroupBarrier();
    if (key != kNotANumber && atomicLoad(&pool[kMaxBest + rank]) == mine.y) { heads[list] += 1u; }
  }
  workgroupBarrier();

  if (thread == 0u) {
    let id = min(records[at], kVocab - 1u);
    records[at + 1u] = bitcast<u32>(value_of(key_of(logits[id])) - value_of(top) - log_sum);
  }
  if (thread < options.best) {
    let key = atomicLoad(&pool[thread]);
    records[at + 2u + thread] = atomicLoad(&pool[kMaxBest + thread]);  // all ones: there is no such
    var logprob = 0xff800000u;
    if (is_finite(key)) { logprob = bitcast<u32>(value_of(key) - value_of(top) - log_sum); }
    records[at + 2u + options.best + thread] = logprob;
  }
}
