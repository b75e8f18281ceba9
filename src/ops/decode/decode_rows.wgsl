// uses: blocks
// What the decode kernels share: one row of activations, brought into workgroup memory a chunk at a time (normalised
// and rounded to blocks of 32 where the op says so), times rows of matrices.
//
// The kernel gives kThreads, kLanes (threads that share a row of a matrix), kPerLane (rows a thread works on at once),
// kMatrices (1, or 2: gate and up), kNorm, kNormFormat, kNormWord (where the norm's weight begins in `weights`), kEps,
// kQuantized, kChunk (columns staged at a time: a divisor of K, a multiple of 32), kTogether (how they are staged).

@group(0) @binding(2) var<storage, read_write> x: array<vec4<f32>>;  // [1, K]

const kGroups = kThreads / kLanes;         // rows worked on side by side
const kRows = kGroups * kPerLane;          // of each matrix in a workgroup
const kChunks = kColumns / kChunk;
const kChunkBlocks = kChunk / 32u;
// Staged codes, scales and sums of halves; or floats.
const kScalesAt = kChunk / 4u;
const kSumsAt = kScalesAt + kChunkBlocks;
const kStaged = select(kChunk, kSumsAt + 2u * kChunkBlocks, kQuantized);
var<workgroup> staged: array<u32, kStaged>;
var<workgroup> partial: array<f32, kRows * kLanes * kMatrices>;

// Element i of a vector of f32, f16 or bf16, from the word that holds it.
fn vector_value(format: u32, word: u32, i: u32) -> f32 {
  if (format == kF32) {
    return bitcast<f32>(word);
  }
  if (format == kBf16) {
    return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (i & 1u) == 1u));
  }
  let pair = unpack2x16float(word);
  return select(pair.x, pair.y, (i & 1u) == 1u);
}

// The same of a vector that begins at word `at` of the weights.
fn load_vector(format: u32, at: u32, i: u32) -> f32 {
  return vector_value(format, weight_word(at + select(i >> 1u, i, format == kF32)), i);
}

// Columns 4i … 4i + 3 of the norm's weight.
fn norm_weight4(i: u32) -> vec4<f32> {
  if (kNormFormat == kF32) {
    return bitcast<vec4<f32>>(weights[(kNormWord >> 2u) + i]);
  }
  return vec4<f32>(load_vector(kNormFormat, kNormWord, 4u * i), load_vector(kNormFormat, kNormWord, 4u * i + 1u),
                   load_vector(kNormFormat, kNormWord, 4u * i + 2u), load_vector(kNormFormat, kNormWord, 4u * i + 3u));
}

// Squares summed by each thread that stages, four threads a vector.
const kStagers = select(min(kThreads, 64u), kThreads, kTogether);
var<workgroup> squares: array<vec4<f32>, kStagers / 4u>;

// Vector `at` of the row, times the norm's weight, and its squares.
struct Weighed { v: vec4<f32>, squares: f32 }
fn load_x(at: u32) -> Weighed {
  let v = x[at];
  if (kNorm) {
    return Weighed(v * norm_weight4(at), dot(v, v));
  }
  return Weighed(v, 0.0);
}

fn stage_floats(thread: u32, chunk: u32) -> f32 {
  var sum = 0.0;
  for (var i = select(thread, kChunk, thread >= kStagers); i < kChunk / 4u; i += kStagers) {
    let w = load_x(chunk * (kChunk / 4u) + i);
    sum += w.squares;
    let words = bitcast<vec4<u32>>(w.v);
    staged[4u * i] = words.x;
    staged[4u * i + 1u] = words.y;
    staged[4u * i + 2u] = words.z;
    staged[4u * i + 3u] = words.w;
  }
  return sum;
}

fn inverse_of(most: f32) -> f32 { return select(0.0, 127.0 / most, most > 0.0); }

// A thread rounds whole blocks.
fn stage_blocks(thread: u32, chunk: u32) -> f32 {
  var sum = 0.0;
  for (var b = select(thread, kChunk, thread >= kStagers); b < kChunkBlocks; b += kStagers) {
    var v: array<vec4<f32>, 8>;
    var largest = vec4<f32>(0.0);
    for (var i = 0u; i < 8u; i += 1u) {
      let w = load_x((chunk * kChunkBlocks + b) * 8u + i);
      sum += w.squares;
      v[i] = w.v;
      largest = max(largest, abs(w.v));
    }
    let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    let inverse = inverse_of(most);
    staged[kScalesAt + b] = bitcast<u32>(most / 127.0);
    var sums = vec2<i32>(0);
    for (var i = 0u; i < 8u; i += 1u) {
      let q = vec4<i32>(round(v[i] * inverse));
      let s = q.x + q.y + q.z + q.w;
      sums += select(vec2<i32>(0, s), vec2<i32>(s, 0), i < 4u);
      staged[8u * b + i] = pack4xI8(q);
    }
    staged[kSumsAt + 2u * b] = bitcast<u32>(f32(sums.x));
    staged[kSumsAt + 2u * b + 1u] = bitcast<u32>(f32(sums.y));
  }
  return sum;
}

// Neighbouring threads read neighbouring vectors, eight a block, and tell each other how large their values are where
// their codes will lie.
fn stage_together(thread: u32, chunk: u32) -> f32 {
  const kVectors = kChunk / 4u;
  const kHeld = (kVectors + kThreads - 1u) / kThreads;
  var sum = 0.0;
  var v: array<vec4<f32>, kHeld>;
  for (var j = 0u; j < kHeld; j += 1u) {
    let i = thread + j * kThreads;
    if (i < kVectors) {
      let w = load_x(chunk * kVectors + i);
      sum += w.squares;
      v[j] = w.v;
      let size = abs(w.v);
      staged[i] = bitcast<u32>(max(max(size.x, size.y), max(size.z, size.w)));
    }
  }
  workgroupBarrier();
  var most: array<f32, kHeld>;
  for (var j = 0u; j < kHeld; j += 1u) {
    let first = min(thread + j * kThreads, kVectors - 1u) & ~7u;
    for (var i = 0u; i < 8u; i += 1u) {
      most[j] = max(most[j], staged_f32(first + i));
    }
  }
  workgroupBarrier();
  for (var j = 0u; j < kHeld; j += 1u) {
    let i = thread + j * kThreads;
    if (i < kVectors) {
      staged[i] = pack4xI8(vec4<i32>(round(v[j] * inverse_of(most[j]))));
      if ((i & 7u) == 0u) {
        staged[kScalesAt + (i >> 3u)] = bitcast<u32>(most[j] / 127.0);
      }
    }
  }
  if (!kUnitIsHalf) {
    workgroupBarrier();
    for (var h = thread; h < 2u * kChunkBlocks; h += kThreads) {
      var s = 0;
      for (var i = 0u; i < 4u; i += 1u) {
        s += dot4I8Packed(staged[4u * h + i], 0x01010101u);
      }
      staged[kSumsAt + h] = bitcast<u32>(f32(s));
    }
  }
  return sum;
}

// Columns of chunk `chunk`, ready after a barrier; what was staged before must no longer be needed. Returns the sum of
// the squares of what this thread read. The norm's factor is the same for the whole row, so codes do not need it and
// scales get it at the very end: nobody waits for a sum over the row before the matrix is read.
fn stage(thread: u32, chunk: u32) -> f32 {
  if (!kQuantized) {
    return stage_floats(thread, chunk);
  }
  if (kTogether) {
    return stage_together(thread, chunk);
  }
  return stage_blocks(thread, chunk);
}

// What a thread summed over all chunks; norm_factor() may be called after a barrier.
fn put_squares(thread: u32, sum: f32) {
  if (kNorm && thread < kStagers) {
    squares[thread >> 2u][thread & 3u] = sum;
  }
}

// 1 / rms of the row; 1 without a norm.
fn norm_factor() -> f32 {
  if (!kNorm) {
    return 1.0;
  }
  var total = vec4<f32>(0.0);
  for (var i = 0u; i < kStagers / 4u; i += 1u) {
    total += squares[i];
  }
  return inverseSqrt((total.x + total.y + total.z + total.w) / f32(kColumns) + kEps);
}

fn dot16(q: vec4<u32>, at: u32) -> f32 {
  return f32(dot4I8Packed(q.x, staged[at]) + dot4I8Packed(q.y, staged[at + 1u]) + dot4I8Packed(q.z, staged[at + 2u]) +
             dot4I8Packed(q.w, staged[at + 3u]));
}

fn staged_f32(i: u32) -> f32 { return bitcast<f32>(staged[i]); }
fn staged4(i: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(staged[i], staged[i + 1u], staged[i + 2u], staged[i + 3u]));
}

// The units of a row that a lane takes in turn: 16 columns, or 32 where 16 bytes hold as many.
const kUnitIsHalf = !kQuantized || kFormat == kQ8_0;
const kUnits = kChunk / select(32u, 16u, kUnitIsHalf);

// Read before the row is staged, so that both waits for memory are one: nothing may look at it before.
fn load_unit(m: Matrix, row: u32, chunk: u32, u: u32) -> Raw {
  if (kUnitIsHalf) {
    return load_raw(m, row, chunk * kChunkBlocks + (u >> 1u), u & 1u);
  }
  return load_raw(m, row, chunk * kChunkBlocks + u, 0u);
}

// Times the staged columns of unit u of the chunk.
fn dot_unit(raw: Raw, chunk: u32, u: u32) -> f32 {
  if (kUnitIsHalf) {
    let w = raw_scales(raw, chunk * kChunkBlocks + (u >> 1u));
    return w.scale.x * staged_f32(kScalesAt + (u >> 1u)) * dot16(raw.codes, 4u * u);
  }
  let b = chunk * kChunkBlocks + u;
  let w = raw_scales(raw, b);
  let lo = dot16(raw_codes(raw, b, 0u), 8u * u);
  let hi = dot16(raw_codes(raw, b, 1u), 8u * u + 4u);
  let sum_lo = staged_f32(kSumsAt + 2u * u);
  let sum_hi = staged_f32(kSumsAt + 2u * u + 1u);
  var value: f32;
  if (kHalfScales) {
    value = w.scale.x * lo + w.scale.y * hi - (w.offset.x * sum_lo + w.offset.y * sum_hi);
  } else {
    value = w.scale.x * (lo + hi) - w.offset.x * (sum_lo + sum_hi);
  }
  return value * staged_f32(kScalesAt + u);
}

// The same without codes.
fn dot_floats(m: Matrix, row: u32, chunk: u32, u: u32) -> f32 {
  let w = load_values16(m, row, chunk * kUnits + u);
  return dot(w[0], staged4(16u * u)) + dot(w[1], staged4(16u * u + 4u)) + dot(w[2], staged4(16u * u + 8u)) +
         dot(w[3], staged4(16u * u + 12u));
}

// Sum over the lanes of row r (of kRows) of matrix i; after a barrier.
fn row_sum(i: u32, r: u32) -> f32 {
  var sum = 0.0;
  for (var lane = 0u; lane < kLanes; lane += 1u) {
    sum += partial[(i * kLanes + lane) * kRows + r];
  }
  return sum;
}
