// uses: sample_parts, sample_pool
// Towards log-probabilities of the raw logits: in each slice the sum of e^(logit - best of all) and the best logits,
// sorted. One workgroup a slice.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
const kMaxBest = 20u;
// end

const kPoolWords = kScratchWords;

@group(0) @binding(2) var<storage, read> logits: array<u32>;
// The sums of all slices (64 bits), then key and id of the best of each slice.
@group(0) @binding(4) var<storage, read_write> parts: array<vec2<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let top = best_of_slices(thread).raw;
  if (thread < 2u) { atomicStore(&pool[thread], 0u); }
  if (thread < kMaxBest) {
    atomicStore(&pool[2u + thread], 0u);
    atomicStore(&pool[2u + kMaxBest + thread], 0xffffffffu);
  }
  workgroupBarrier();

  const kIn = kSlice / 256u;
  var keys: array<u32, kIn>;
  var own = vec2<u32>(0u);
  for (var i = 0u; i < kIn; i++) {
    let id = group.x * kSlice + 256u * i + thread;
    keys[i] = kNotANumber;
    if (id < kVocab) { keys[i] = key_of(logits[id]); }
    if (is_finite(keys[i]) && is_finite(top)) {
      own = wide_add(own, fixed_point(exp_negative(value_of(keys[i]) - value_of(top))));
    }
  }
  let before = atomicAdd(&pool[0], own.x);
  atomicAdd(&pool[1], own.y + select(0u, 1u, before + own.x < before));

  for (var rank = 0u; rank < options.best; rank++) {
    var mine = 0u;
    for (var i = 1u; i < kIn; i++) {
      if (keys[i] > keys[mine]) { mine = i; }
    }
    let id = group.x * kSlice + 256u * mine + thread;
    atomicMax(&pool[2u + rank], keys[mine]);
    workgroupBarrier();
    let key = atomicLoad(&pool[2u + rank]);
    if (key != kNotANumber && key == keys[mine]) { atomicMin(&pool[2u + kMaxBest + rank], id); }
    workgroupBarrier();
    if (atomicLoad(&pool[2u + kMaxBest + rank]) == id) { keys[mine] = kNotANumber; }
  }
  workgroupBarrier();
  if (thread == 0u) { parts[group.x] = vec2<u32>(atomicLoad(&pool[0]), atomicLoad(&pool[1])); }
  if (thread < options.best) {
    parts[kSlices + group.x * kMaxBest + thread] =
        vec2<u32>(atomicLoad(&pool[2u + thread]), atomicLoad(&pool[2u + kMaxBest + thread]));
  }
}
