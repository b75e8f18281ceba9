// uses: sample_parts, sample_pool, sample_selects
// One level of a select (sample_selects.wgsl): finds the bin of the level before and fills the histogram inside it. Every
// workgroup finds the same bin by itself, which saves a dispatch a level. One workgroup a slice.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
// end

const kPoolWords = 2u * kBins;  // all that WebGPU grants: low words, then high words and counts

@group(0) @binding(2) var<storage, read> values: array<u32>;
struct Stage { which: u32, level: u32 }
@group(0) @binding(5) var<storage, read> stage: Stage;

// Which select's end decides what this one has to reach; none: all logits do.
const kNone = 3u;
fn decided_by(which: u32) -> u32 {
  if (which == kSelectDraw && has(kTopP)) { return kSelectP; }
  if (which != kSelectK && has(kTopK)) { return kSelectK; }
  return kNone;
}
// What a select has to reach: `kept` is the mass of what the one before left.
fn limit_of(which: u32, kept: vec2<u32>, logits: u32) -> Limit {
  if (which == kSelectK) { return Limit(true, vec2<u32>(min(options.top_k, logits), 0u)); }
  if (which == kSelectP) {
    let share = wide_share(kept, options.top_p);
    return Limit(false, wide_add(share.xy, vec2<u32>(share.z, 0u)));
  }
  // All are prefixes of one order, so the shortest is what all of them keep.
  let above = vec2<u32>(atomicLoad(&bins[kMinPMass]), atomicLoad(&bins[kMinPMass + 1u]));
  return Limit(false, drawn_limit(select(kept, above, has(kMinP) && wide_less(above, kept))));
}

// In the pool the count has the upper 12 bits of the high word: a slice has at most 2048 logits and a mass below 2^52.
fn count_in(bin: u32, mass: vec2<u32>) {
  let before = atomicAdd(&pool[bin], mass.x);
  atomicAdd(&pool[kBins + bin], (1u << 20u) + mass.y + select(0u, 1u, before + mass.x < before));
}
fn add_to_bins(at: u32, high_at: u32, mass: vec2<u32>) {
  let before = atomicAdd(&bins[at], mass.x);
  atomicAdd(&bins[high_at], mass.y + select(0u, 1u, before + mass.x < before));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let top = best_of_slices(thread).key;
  let which = stage.which;
  let level = stage.level;

  // Turns: the last level of the select before, if the limit needs it; the level before this one. One loop, so that
  // compilers see one copy of it.
  let before = decided_by(which);
  var found = Found(0u, Sum(0u, vec2<u32>(0u)), Limit(which == kSelectK, vec2<u32>(0u)));
  if (level == 2u) { found = load_found(which, 0u); }
  var kept = vec2<u32>(0u);
  for (var turn = select(1u, 0u, level == 1u && before != kNone); turn < select(2u, 1u, level == 0u); turn++) {
    var region = region_of(which, max(level, 1u) - 1u);
    var wanted = found;
    if (turn == 0u) {
      region = region_of(before, 2u);
      wanted = load_found(before, 1u);
    }
    let scanned = scan_bins(thread, region);
    if (turn == 1u && level == 1u) {
      if (before == kNone) { kept = scanned.total.mass; }
      wanted.limit = limit_of(which, kept, scanned.total.count);
    }
    let place = find_bin(thread, region, wanted.before, scanned, wanted.limit);
    if (turn == 0u) {
      kept = end_of(wanted, place, top).mass;
    } else {
      found = Found((wanted.bits << 11u) | place.at, place.before, wanted.limit);
    }
  }
  if (level > 0u && group.x == 0u && thread == 0u) { store_found(which, level - 1u, found); }

  for (var i = thread; i < 2u * kBins; i += 256u) { atomicStore(&pool[i], 0u); }
  workgroupBarrier();
  var above = vec2<u32>(0u);  // mass of what min-p keeps
  for (var i = thread; i < kSlice; i += 256u) {
    let id = group.x * kSlice + i;
    if (id >= kVocab) { break; }
    let key = key_of(values[id]);
    if (!is_finite(key)) { continue; }
    let distance = top - key;
    let weight = weight_at(key, top);
    if (level == 0u) {
      count_in(distance >> 21u, fixed_point(weight));
      if (weight >= options.min_p) { above = wide_add(above, fixed_point(weight)); }
    } else if (level == 1u) {
      if (distance >> 21u == found.bits) { count_in((distance >> 10u) & 2047u, fixed_point(weight)); }
    } else if (distance >> 10u == found.bits) {
      count_in(distance & 1023u, fixed_point(weight));
    }
  }
  workgroupBarrier();
  let region = region_of(which, level);
  for (var i = thread; i < kBins; i += 256u) {
    let high = atomicLoad(&pool[kBins + i]);
    if (high == 0u) { continue; }
    atomicAdd(&bins[region + i], high >> 20u);
    add_to_bins(region + kBins + i, region + 2u * kBins + i, vec2<u32>(atomicLoad(&pool[i]), high & 0xfffffu));
  }
  if (level == 0u && has(kMinP)) {
    workgroupBarrier();
    if (thread == 0u) {
      atomicStore(&pool[0], 0u);
      atomicStore(&pool[1], 0u);
    }
    workgroupBarrier();
    let before = atomicAdd(&pool[0], above.x);
    atomicAdd(&pool[1], above.y + select(0u, 1u, before + above.x < before));
    workgroupBarrier();
    if (thread == 0u) {
      add_to_bins(kMinPMass, kMinPMass + 1u, vec2<u32>(atomicLoad(&pool[0]), atomicLoad(&pool[1])));
    }
  }
}
