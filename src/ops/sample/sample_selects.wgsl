// Finding ranks among all logits by radix: histograms of order keys in three levels of 11, 11 and 10 bits. A bin holds
// how many logits it has and the sum of their weights, both integers, so the order of addition does not matter. Three
// things are found this way, all in the same order (best first, of equal logits the lower id): the end of top-k, the end
// of top-p, and the drawn token. They share the first level.

const kSelectK = 0u; const kSelectP = 1u; const kSelectDraw = 2u;
@group(0) @binding(4) var<storage, read_write> bins: array<atomic<u32>>;

// Level 0 is shared; levels 1 and 2 are each select's own.
fn region_of(which: u32, level: u32) -> u32 {
  return select(1u + 2u * which + level - 1u, 0u, level == 0u) * kRegion;
}
fn load_bin(region: u32, bin: u32) -> Sum {
  let at = region + bin;
  return Sum(atomicLoad(&bins[at]), vec2<u32>(atomicLoad(&bins[at + kBins]), atomicLoad(&bins[at + 2u * kBins])));
}

fn scan_bins(thread: u32, region: u32) -> Scanned {
  var own = Sum(0u, vec2<u32>(0u));
  for (var i = 0u; i < kBins / 256u; i++) { own = plus(own, load_bin(region, thread * (kBins / 256u) + i)); }
  return scan(thread, own);
}
// The bin where `base` + the running sum reaches the limit.
fn find_bin(thread: u32, region: u32, base: Sum, scanned: Scanned, limit: Limit) -> Place {
  var sum = plus(base, scanned.before);
  if (!reached(sum, limit)) {
    for (var i = 0u; i < kBins / 256u; i++) {
      let bin = thread * (kBins / 256u) + i;
      let own = load_bin(region, bin);
      let next = plus(sum, own);
      if (reached(next, limit)) {
        tell(Place(bin, sum, own));
        break;
      }
      sum = next;
    }
  }
  return told();
}

// What level `level` of a select found: the leading bits of the distance from the best key, the sum before, the limit.
struct Found { bits: u32, before: Sum, limit: Limit }
fn found_at(which: u32, level: u32) -> u32 { return kFound + 8u * (2u * which + level); }
fn store_found(which: u32, level: u32, found: Found) {
  let at = found_at(which, level);
  state[at] = found.bits;
  state[at + 1u] = found.before.count;
  state[at + 2u] = found.before.mass.x;
  state[at + 3u] = found.before.mass.y;
  state[at + 4u] = found.limit.amount.x;
  state[at + 5u] = found.limit.amount.y;
}
fn load_found(which: u32, level: u32) -> Found {
  let at = found_at(which, level);
  return Found(state[at], Sum(state[at + 1u], vec2<u32>(state[at + 2u], state[at + 3u])),
               Limit(which == kSelectK, vec2<u32>(state[at + 4u], state[at + 5u])));
}

// The last level: the distance is known, and of the logits that have it the limit is reached by number `tie`, from 1.
struct Last { distance: u32, tie: u32, mass: vec2<u32> }  // mass: up to and with that one
fn end_of(found: Found, place: Place, top: u32) -> Last {
  let distance = (found.bits << 10u) | (place.at & 1023u);
  let mass = mass_at(top - distance, top);
  var low = 1u;
  var high = max(place.own.count, 1u);
  while (low < high) {  // equal logits have equal weights
    let middle = (low + high) / 2u;
    let sum = Sum(place.before.count + middle, wide_add(place.before.mass, wide_times(mass, middle)));
    if (reached(sum, found.limit)) {
      high = middle;
    } else {
      low = middle + 1u;
    }
  }
  return Last(distance, low, wide_add(place.before.mass, wide_times(mass, low)));
}
