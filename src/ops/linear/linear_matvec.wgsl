// uses: blocks, linear_io
// y[t, n] for one or few tokens: kLanes lanes share a row, each lane reads the same part of kPerLane rows against one
// part of x. The lanes' sums meet in workgroup memory. Grid: rows / (kGroups * kPerLane), tokens.

// specialise
const kFormat = 7u;
const kColumns = 64u;
const kMatrix = Matrix(0u, 0u, 64u, 0u);
const kRows = 5u;
const kFirst = 0u;
const kWidth = 5u;
const kTokens = 1u;
const kTokensWord = 0u;
const kXQuantized = true;
alias XType = vec4<u32>;
const kBiasFormat = 255u;
const kResidual = false;
const kLanes = 16u;
const kGroups = 8u;
const kPerLane = 2u;
// end

const kThreads = kLanes * kGroups;
// Columns that a lane takes at a time: a block, or 8 floats.
const kUnits = select((kColumns + 7u) / 8u, kBlocks, kIsBlock);

var<workgroup> partial: array<f32, kThreads * kPerLane>;

fn add_quantized(t: u32, b: u32, first: u32, sums: ptr<function, array<f32, kPerLane>>) {
  let lo = load_x_codes(t, b, 0u);
  let hi = load_x_codes(t, b, 1u);
  let scale = load_x_scale(t, b);
  let negsum = load_x_negsum(t, b);
  var halves = vec2<f32>(f32(negsum), 0.0);
  if (kHalfScales) {
    let low = negated_sum(lo);
    halves = vec2<f32>(f32(low), f32(negsum - low));
  }
  for (var r = 0u; r < kPerLane; r++) {
    let w = load_block(kMatrix, min(first + r, kRows - 1u), b);
    let low = dot16(lo, w.lo);
    let high = dot16(hi, w.hi);
    var sum: f32;
    if (kHalfScales) {
      sum = dot(w.scale, vec2<f32>(f32(low), f32(high))) + dot(w.offset, halves);
    } else {
      sum = w.scale.x * f32(low + high) + w.offset.x * halves.x;
    }
    (*sums)[r] += scale * sum;
  }
}

fn add_floats(t: u32, b: u32, first: u32, sums: ptr<function, array<f32, kPerLane>>) {
  if (!kIsBlock) {
    let lo = load_x4(t, 8u * b);
    let hi = load_x4(t, 8u * b + 4u);
    for (var r = 0u; r < kPerLane; r++) {
      let w = load_float8(kMatrix, min(first + r, kRows - 1u), b);
      (*sums)[r] += dot(lo, w.lo) + dot(hi, w.hi);
    }
    return;
  }
  var v: array<vec4<f32>, 8>;
  for (var i = 0u; i < 8u; i++) {
    v[i] = load_x4(t, 32u * b + 4u * i);
  }
  let ones = vec4<f32>(1.0);
  let sum = vec2<f32>(dot(v[0] + v[1] + v[2] + v[3], ones), dot(v[4] + v[5] + v[6] + v[7], ones));
  for (var r = 0u; r < kPerLane; r++) {
    let w = load_block(kMatrix, min(first + r, kRows - 1u), b);
    let low = dot(codes_to_f32(w.lo.x), v[0]) + dot(codes_to_f32(w.lo.y), v[1]) + dot(codes_to_f32(w.lo.z), v[2]) +
              dot(codes_to_f32(w.lo.w), v[3]);
    let high = dot(codes_to_f32(w.hi.x), v[4]) + dot(codes_to_f32(w.hi.y), v[5]) + dot(codes_to_f32(w.hi.z), v[6]) +
               dot(codes_to_f32(w.hi.w), v[7]);
    (*sums)[r] += dot(w.scale, vec2<f32>(low, high)) - dot(w.offset, sum);
  }
}

@compute @workgroup_size(kThreads)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let t = group_id.y;
  if (t >= tokens()) {
    return;
  }
  let lane = index % kLanes;
  let group = index / kLanes;
  let first = (group_id.x * kGroups + group) * kPerLane;
  var sums: array<f32, kPerLane>;
  for (var u = lane; u < kUnits; u += kLanes) {
    if (kXQuantized) {
      add_quantized(t, u, first, &sums);
    } else {
      add_floats(t, u, first, &sums);
    }
  }
  for (var r = 0u; r < kPerLane; r++) {
    partial[r * kThreads + index] = sums[r];
  }
  for (var width = kLanes / 2u; width > 0u; width /= 2u) {
    workgroupBarrier();
    if (lane < width) {
      for (var r = 0u; r < kPerLane; r++) {
        partial[r * kThreads + index] += partial[r * kThreads + index + width];
      }
    }
  }
  workgroupBarrier();
  // One thread a row, so that stores of neighbouring rows are one.
  let n = group_id.x * kGroups * kPerLane + index;
  if (index < kGroups * kPerLane && n < kRows) {
    store_y(t, n, partial[(index % kPerLane) * kThreads + (index / kPerLane) * kLanes]);
  }
}
