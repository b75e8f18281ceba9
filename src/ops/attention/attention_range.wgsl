// Which cells a row sees, for kernels of attention that declare
//   kPlain: keys are no cache; all kS * step[kSWord] of them are seen
//   kSlots, kCells: where slots and cells of the rows lie in the step buffer; kWindow: 0, or how many cells are seen

const kNoScore = -1e30;  // below every score, and its differences are finite

const kSafeCap = select(kCap, 1.0, kCap == 0.0);

fn keys_in_all() -> u32 {
  return kS * u32(step[kSWord]);
}

// [first, end) of the cells that row t sees.
fn seen(t: u32) -> vec2<u32> {
  let all = keys_in_all();
  if (kPlain) {
    return vec2(0u, all);
  }
  let end = min(u32(step[kCells + t]) + 1u, all);
  return vec2(select(0u, end - kWindow, kWindow > 0u && end > kWindow), end);
}

// Rows of the keys of a kv head: that of cell j is key_row(…) + j * key_stride().
fn key_row(t: u32, kv_head: u32) -> u32 {
  if (kPlain) {
    return kv_head;
  }
  let slot = min(u32(step[kSlots + t]), kN * u32(step[kNWord]) - 1u);
  return (slot * kKvHeads + kv_head) * keys_in_all();
}

fn key_stride() -> u32 {
  return select(1u, kKvHeads, kPlain);
}

fn capped(score: vec4<f32>) -> vec4<f32> {
  if (kCap == 0.0) {
    return score;
  }
  // cap * tanh(score / cap), where only the absolute error counts: 1e-7 of the cap.
  return kCap - 2.0 * kCap / (exp(clamp(score * (2.0 / kSafeCap), vec4(-80.0), vec4(80.0))) + 1.0);
}
