// uses: decode_rows, activations
// One row of activations times a matrix: y = f(x) @ W^T + bias + residual, or act(f(x) @ gate^T) * (f(x) @ up^T),
// where f normalises, rounds to blocks of 32, or both. linear, linear_add, norm_linear, norm_gated_linear with T = 1.
// A workgroup makes kRows results; it stages the row, every lane group sums its rows, the sums meet in workgroup memory.

// specialise
const kFormat = 11u;
const kColumns = 64u;
const kThreads = 128u;
const kLanes = 4u;
const kPerLane = 1u;
const kMatrices = 1u;
const kMatrix = Matrix(0u, 0u, 4096u, 0u);
const kUp = Matrix(0u, 0u, 4096u, 0u);
const kN = 64u;
const kNorm = true;
const kNormFormat = 0u;
const kNormWord = 0u;
const kEps = 0.00001f;
const kQuantized = true;
const kChunk = 64u;
const kAhead = 1u;
const kTogether = true;
const kHasBias = false;
const kBiasFormat = 0u;
const kResidual = false;
const kActivation = 0u;
alias Value = f32;
@group(0) @binding(3) var<storage, read_write> residual: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<u32>;
// end

@group(0) @binding(0) var<storage, read_write> y: array<f32>;  // [1, N], and so are the residual and the bias

@compute @workgroup_size(kThreads)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let lane = thread % kLanes;
  let first = group.x * kRows;
  // What the result is added to is on its way while the matrix is read. kRows <= kThreads.
  let result = first + thread;
  var added = 0.0;
  if (thread < kRows && result < kN) {
    if (kHasBias) {
      added = vector_value(kBiasFormat, bias[select(result >> 1u, result, kBiasFormat == kF32)], result);
    }
    if (kResidual) {
      added += residual[result];
    }
  }
  var sums: array<f32, kPerLane * kMatrices>;
  var squared = 0.0;
  for (var chunk = 0u; chunk < kChunks; chunk += 1u) {
    var ahead: array<Raw, kAhead * kPerLane * kMatrices>;
    if (kQuantized) {
      for (var j = 0u; j < kAhead; j += 1u) {
        for (var i = 0u; i < kPerLane; i += 1u) {
          let row = min(first + thread / kLanes + i * kGroups, kN - 1u);
          let u = min(lane + j * kLanes, kUnits - 1u);
          ahead[j * kPerLane + i] = load_unit(kMatrix, row, chunk, u);
          if (kMatrices == 2u) {
            ahead[(kAhead + j) * kPerLane + i] = load_unit(kUp, row, chunk, u);
          }
        }
      }
    }
    if (chunk > 0u) {
      workgroupBarrier();
    }
    squared += stage(thread, chunk);
    workgroupBarrier();
    if (kQuantized) {
      for (var j = 0u; j < kAhead; j += 1u) {
        let u = lane + j * kLanes;
        if (u < kUnits) {
          for (var i = 0u; i < kPerLane; i += 1u) {
            sums[i] += dot_unit(ahead[j * kPerLane + i], chunk, u);
            if (kMatrices == 2u) {
              sums[kPerLane + i] += dot_unit(ahead[(kAhead + j) * kPerLane + i], chunk, u);
            }
          }
        }
      }
      for (var u = lane + kAhead * kLanes; u < kUnits; u += kLanes) {
        for (var i = 0u; i < kPerLane; i += 1u) {
          let row = min(first + thread / kLanes + i * kGroups, kN - 1u);
          sums[i] += dot_unit(load_unit(kMatrix, row, chunk, u), chunk, u);
          if (kMatrices == 2u) {
            sums[kPerLane + i] += dot_unit(load_unit(kUp, row, chunk, u), chunk, u);
          }
        }
      }
    } else {
      for (var u = lane; u < kUnits; u += kLanes) {
        for (var i = 0u; i < kPerLane; i += 1u) {
          let row = min(first + thread / kLanes + i * kGroups, kN - 1u);
          sums[i] += dot_floats(kMatrix, row, chunk, u);
          if (kMatrices == 2u) {
            sums[kPerLane + i] += dot_floats(kUp, row, chunk, u);
          }
        }
      }
    }
  }
  put_squares(thread, squared);
  for (var i = 0u; i < kPerLane; i += 1u) {
    let r = thread / kLanes + i * kGroups;
    partial[lane * kRows + r] = sums[i];
    if (kMatrices == 2u) {
      partial[(kLanes + lane) * kRows + r] = sums[kPerLane + i];
    }
  }
  workgroupBarrier();
  if (thread < kRows && result < kN) {
    let factor = norm_factor();
    var v = factor * row_sum(0u, thread);
    if (kMatrices == 2u) {
      v = activate(v) * (factor * row_sum(1u, thread));
    }
    y[result] = v + added;
  }
}
