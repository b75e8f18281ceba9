// uses: sample_parts, sample_pool, sample_selects
// One level of a select (sample_selects.wgsl): finds the bin of the level before and fills the histogram inside it. Every
// workgroup finds the same bin by itself, which saves a dispatch a level. One workgroup a slice.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
// end

@group(0) @binding(2) var<storage, read> values: array<u32>;
struct Stage { which: u32, level: u32 }
@group(0) @binding(5) var<storage, read> stage: Stage;

// What a select has to reach, from what the selects before it found.
fn limit_of(thread: u32, which: u32, top: u32, total: Sum) -> Limit {
  if (which == kSelectK) { return Limit(true, vec2<u32>(min(options.top_k, total.count), 0u)); }
  var kept = total.mass;
  if (which == kSelectDraw && has(kTopP)) {
    kept = finish_select(thread, kSelectP, top).mass;
  } else if (has(kTopK)) {
    kept = finish_select(thread, kSelectK, top).mass;
  }
  if (which == kSelectP) {
    let share = wide_share(kept, options.top_p);
    return Limit(false, wide_add(share.xy, vec2<u32>(share.z, 0u)));
  }
  // All are prefixes of one order, so the shortest is what all of them keep.
  if (has(kMinP)) {
    let above = vec2<u32>(atomicLoad(&bins[kMinPMass]), atomicLoad(&bins[kMinPMass + 1u]));
    if (wide_less(above, kept)) { kept = above; }
  }
  return Limit(false, drawn_limit(kept));
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

  var found = Found(0u, Sum(0u, vec2<u32>(0u)), Limit(false, vec2<u32>(0u)));
  if (level == 1u) {
    let region = region_of(which, 0u);
    let scanned = scan_bins(thread, region);
    found.limit = limit_of(thread, which, top, scanned.total);
    let place = find_bin(thread, region, found.before, scanned, found.limit);
    found.bits = place.at;
    found.before = place.before;
  } else if (level == 2u) {
    found = load_found(which, 0u);
    let region = region_of(which, 1u);
    let place = find_bin(thread, region, found.before, scan_bins(thread, region), found.limit);
    found.bits = (found.bits << 11u) | place.at;
    found.before = place.before;
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
