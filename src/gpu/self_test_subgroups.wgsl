// What subgroups do on this device: each thread's view of its subgroup. One workgroup.

// specialise
enable subgroups;
// end

const kThreads = 128u;

struct View {
  size: u32,      // of the subgroup
  lane: u32,
  first: u32,     // thread of the first active lane
  count: u32,     // of ones in the subgroup
  swapped: u32,   // thread of lane ^ 1
  next: u32,      // thread of the next lane, around
  sum: f32,       // of the threads' numbers and a half
  largest: u32,
}

@group(0) @binding(0) var<storage, read_write> views: array<View>;

@compute @workgroup_size(kThreads)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(subgroup_size) size: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  views[thread] = View(size, lane, subgroupBroadcastFirst(thread), subgroupAdd(1u), subgroupShuffleXor(thread, 1u),
                       subgroupShuffle(thread, (lane + 1u) % size), subgroupAdd(f32(thread) + 0.5),
                       subgroupMax(thread));
}
