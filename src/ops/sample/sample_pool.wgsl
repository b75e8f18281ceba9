// Workgroup memory of the sampling kernels and what is done together in it: maxima, running sums, the place where a
// running sum reaches a limit. To be called by all 256 threads in uniform control flow. The kernels give kPoolWords.

var<workgroup> pool: array<atomic<u32>, kPoolWords>;
const kResult = 768u;             // first word of what one thread found for all; before it a sum of each thread
const kScratchWords = 768u + 8u;  // what the functions here need

// Of each slice: key and id of its first best logit, and the key of its best raw logit (before bias and penalties).
@group(0) @binding(3) var<storage, read> maxima: array<vec4<u32>>;

struct Top { key: u32, id: u32, raw: u32 }
fn best_of_slices(thread: u32) -> Top {
  if (thread < 3u) { atomicStore(&pool[thread], select(0u, 0xffffffffu, thread == 1u)); }
  workgroupBarrier();
  var own = vec4<u32>(0u, 0xffffffffu, 0u, 0u);
  for (var g = thread; g < kSlices; g += 256u) {
    let slice = maxima[g];
    let raw = max(own.z, slice.z);
    if (slice.x > own.x) { own = slice; }  // slices are in order of ids
    own.z = raw;
  }
  if (thread < kSlices) {
    atomicMax(&pool[0], own.x);
    atomicMax(&pool[2], own.z);
  }
  workgroupBarrier();
  let key = atomicLoad(&pool[0]);
  if (own.x == key) { atomicMin(&pool[1], own.y); }
  workgroupBarrier();
  let top = Top(key, atomicLoad(&pool[1]), atomicLoad(&pool[2]));
  workgroupBarrier();
  return top;
}

// How many logits, and the sum of their weights.
struct Sum { count: u32, mass: vec2<u32> }
fn plus(a: Sum, b: Sum) -> Sum { return Sum(a.count + b.count, wide_add(a.mass, b.mass)); }

// What a running sum is to reach: a count or a mass, at least 1.
struct Limit { counts: bool, amount: vec2<u32> }
fn reached(sum: Sum, limit: Limit) -> bool {
  if (limit.counts) { return sum.count >= limit.amount.x; }
  return !wide_less(sum.mass, limit.amount);
}

fn put_sum(at: u32, sum: Sum) {
  atomicStore(&pool[at], sum.count);
  atomicStore(&pool[at + 1u], sum.mass.x);
  atomicStore(&pool[at + 2u], sum.mass.y);
}
fn get_sum(at: u32) -> Sum {
  return Sum(atomicLoad(&pool[at]), vec2<u32>(atomicLoad(&pool[at + 1u]), atomicLoad(&pool[at + 2u])));
}

struct Scanned { before: Sum, total: Sum }
// Sums of all threads before this one, and of all.
fn scan(thread: u32, own: Sum) -> Scanned {
  var sum = own;
  put_sum(3u * thread, sum);
  if (thread == 0u) {  // if no place is found: the first
    for (var i = 0u; i < 8u; i++) { atomicStore(&pool[kResult + i], 0u); }
  }
  workgroupBarrier();
  for (var step = 1u; step < 256u; step *= 2u) {
    var left = Sum(0u, vec2<u32>(0u));
    if (thread >= step) { left = get_sum(3u * (thread - step)); }
    workgroupBarrier();
    sum = plus(left, sum);
    put_sum(3u * thread, sum);
    workgroupBarrier();
  }
  var before = Sum(0u, vec2<u32>(0u));
  if (thread > 0u) { before = get_sum(3u * (thread - 1u)); }
  let total = get_sum(3u * 255u);
  workgroupBarrier();
  return Scanned(before, total);
}

// Where the limit is reached: number of the thing, the sum before it, its own.
struct Place { at: u32, before: Sum, own: Sum }
fn tell(place: Place) {
  atomicStore(&pool[kResult], place.at);
  put_sum(kResult + 1u, place.before);
  put_sum(kResult + 4u, place.own);
}
fn told() -> Place {
  workgroupBarrier();
  let place = Place(atomicLoad(&pool[kResult]), get_sum(kResult + 1u), get_sum(kResult + 4u));
  workgroupBarrier();
  return place;
}
