// uses: sample_parts, sample_pool, sample_selects
// Before the last stage of a draw: in each slice, the number of logits that are equal to the drawn one, or where the draw
// goes by id, the mass of all. One workgroup a slice.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
// end

const kPoolWords = kScratchWords;

@group(0) @binding(2) var<storage, read> values: array<u32>;
@group(0) @binding(5) var<storage, read_write> slices: array<vec2<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let top = best_of_slices(thread).key;
  var drawn = 0u;
  if (has(kRanked)) {
    let found = load_found(kSelectDraw, 1u);
    let region = region_of(kSelectDraw, 2u);
    let place = find_bin(thread, region, found.before, scan_bins(thread, region), found.limit);
    let last = end_of(found, place, top);
    drawn = top - last.distance;
    if (group.x == 0u && thread == 0u) {
      state[kDrawnKey] = drawn;
      state[kDrawnTie] = last.tie;
    }
  }
  if (thread < 2u) { atomicStore(&pool[thread], 0u); }
  workgroupBarrier();
  var own = vec2<u32>(0u);
  for (var i = thread; i < kSlice; i += 256u) {
    let id = group.x * kSlice + i;
    if (id >= kVocab) { break; }
    let key = key_of(values[id]);
    if (!has(kRanked)) {
      own = wide_add(own, mass_at(key, top));
    } else if (key == drawn) {
      own.x += 1u;
    }
  }
  let before = atomicAdd(&pool[0], own.x);
  atomicAdd(&pool[1], own.y + select(0u, 1u, before + own.x < before));
  workgroupBarrier();
  if (thread == 0u) { slices[group.x] = vec2<u32>(atomicLoad(&pool[0]), atomicLoad(&pool[1])); }
}
