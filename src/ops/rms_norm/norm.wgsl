// What the norms share: rows of a workgroup of kThreads threads, kLanes (a power of 2) each, for kernels that declare
//   const kThreads = …;
//   const kLanes = …;
//   const kWeight = …;  type of the weight: 0 f32, 1 f16, 2 bf16
//   … var<storage, read> weight: array<u32>;

var<workgroup> norm_sums: array<f32, kThreads>;

// The sum of `value` over the lanes of each row, in an order that only kLanes decides. Called by all threads.
fn norm_sum(thread: u32, value: f32) -> f32 {
  if (kLanes == 1u) {
    return value;
  }
  let lane = thread % kLanes;
  workgroupBarrier();
  norm_sums[thread] = value;
  for (var half = kLanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      norm_sums[thread] += norm_sums[thread + half];
    }
  }
  workgroupBarrier();
  return norm_sums[thread - lane];
}

fn norm_weight(i: u32) -> f32 {
  if (kWeight == 0u) {
    return bitcast<f32>(weight[i]);
  }
  let half = weight[i / 2u] >> (i % 2u * 16u);
  if (kWeight == 1u) {
    return unpack2x16float(half).x;
  }
  return bitcast<f32>(half << 16u);
}
