// uses: sample_parts
// The first stage of sampling: bias and penalties (into `scores`), the best logit of each slice, empty histograms.
// One workgroup a slice.

// specialise
const kVocab = 49152u;
const kSlice = 512u;
const kSlices = 96u;
// end

@group(0) @binding(2) var<storage, read> logits: array<u32>;
@group(0) @binding(3) var<storage, read_write> scores: array<u32>;  // as bits; forbidden ones are -inf
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> history: array<u32>;  // begins with the count of each token
@group(0) @binding(6) var<storage, read_write> maxima: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read_write> bins: array<u32>;

var<workgroup> best: array<vec3<u32>, 256>;

fn edited(bits: u32, id: u32) -> u32 {
  var value = bitcast<f32>(bits);
  if (has(kBias)) {
    let added = bias[id];
    if (key_of(bitcast<u32>(added)) == kMinusInfinity) { return 0xff800000u; }
    value += added;
  }
  if (has(kPenalties)) {
    let count = history[id];
    if (count > 0u) {
      value = select(value * options.repeat_penalty, value / options.repeat_penalty, value > 0.0);
      value -= options.frequency_penalty * f32(count) + options.presence_penalty;
    }
  }
  return bitcast<u32>(value);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  var own = vec3<u32>(0u, 0xffffffffu, 0u);
  for (var i = thread; i < kSlice; i += 256u) {
    let id = group.x * kSlice + i;
    if (id >= kVocab) { break; }
    var bits = logits[id];
    var key = key_of(bits);
    own.z = max(own.z, key);
    if (has(kBias | kPenalties)) {
      if (key > kMinusInfinity) {  // arithmetic on the others might lose what they are
        bits = edited(bits, id);
        key = key_of(bits);
      }
      scores[id] = bits;
    }
    if (key > own.x) { own = vec3<u32>(key, id, own.z); }
  }
  best[thread] = own;
  workgroupBarrier();
  for (var step = 128u; step > 0u; step /= 2u) {
    if (thread < step) {
      let a = best[thread];
      let b = best[thread + step];
      let raw = max(a.z, b.z);
      let second = b.x > a.x || (b.x == a.x && b.y < a.y);
      best[thread] = vec3<u32>(select(a.xy, b.xy, second), raw);
    }
    workgroupBarrier();
  }
  if (thread == 0u) { maxima[group.x] = vec4<u32>(best[0], 0u); }

  if (has(kRanked)) {
    for (var i = group.x * 256u + thread; i < kHistogramWords; i += kSlices * 256u) { bins[i] = 0u; }
  }
}
