// linear_recurrence: for t = 0, 1, …: h = state[slots[t], :]; h = a[t, :] * h + b[t, :]; y[t, :] = h. A thread a channel.
// specialise
const kC = 40u;
const kT = 1u;
const kTWord = 0u;
const kN = 1u;  // slots
const kNWord = 1u;
const kSlots = 16u;  // where the slots of the rows lie in the step buffer
const kItems = 64u;  // channels a workgroup
// end

@group(0) @binding(0) var<storage, read_write> h: array<f32>;
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> step: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let tokens = kT * u32(step[kTWord]);
  let last_slot = kN * u32(step[kNWord]) - 1u;
  let end = min((group.x + 1u) * kItems, kC);
  if (tokens == 0u) {
    return;
  }
  for (var c = group.x * kItems + thread; c < end; c += 64u) {
    // The state of the row's slot stays here until another slot's turn.
    var slot = min(u32(step[kSlots]), last_slot);
    var value = h[slot * kC + c];
    for (var t = 0u; t < tokens; t++) {
      let next = min(u32(step[kSlots + t]), last_slot);
      if (next != slot) {
        h[slot * kC + c] = value;
        slot = next;
        value = h[slot * kC + c];
      }
      value = a[t * kC + c] * value + b[t * kC + c];
      y[t * kC + c] = value;
    }
    h[slot * kC + c] = value;
  }
}
