// A kernel: one way to compute one op on one kind of device, described by a row. The planner, the tests and the
// support table all ask the same predicate. CPU kernels are functions over ranges of independent work items.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>

#include "graph/interpreter.h"
#include "ops/gpu_info.h"

namespace weft {

// How a weight matrix lies in memory. Chosen once a weight (layout_for), so that every op that reads it agrees.
enum class WeightLayout : uint8_t {
  row_major,  // as in the file
  rows16,     // CPU: blocks of 16 rows interleaved for integer dot products, see ops/linear/rows16.h
  planes,     // WebGPU: quants, high bits and scales of all rows apart, in 4-byte words, see ops/linear/planes.h
};

enum class CpuLevel : uint8_t { baseline, avx2, avx512_vnni, neon };
std::string_view cpu_level_name(CpuLevel level);

// The kernel and variant that measured best for a call on one device, by call_key.
struct Tuning {
  struct Choice {
    std::string kernel;
    int variant = 0;
  };
  std::map<std::string, Choice, std::less<>> choices;
};

// What a device can do; part of the key of every plan and printed with every result.
struct Caps {
  enum class Kind : uint8_t { cpu, webgpu } kind = Kind::cpu;
  std::string name;                         // "cpu avx512_vnni, 2 threads"
  CpuLevel cpu_level = CpuLevel::baseline;  // best that this processor runs (may be forced lower for tests)
  int threads = 1;
  GpuInfo gpu;                           // of a webgpu device
  std::shared_ptr<const Tuning> tuning;  // what was measured to be best there; none: the first kernel that supports
};

struct OpCall {
  Op op;
  const Attrs& attrs;
  std::span<const ValueType> in;  // dtype f32 and rank 0 where an optional input is absent
  std::span<const ValueType> out;
  WeightLayout layout = WeightLayout::row_major;  // of the weight input, if there is one
  int64_t tokens = 0;    // the most rows (first dimension) that the first result has; 0: not known; 1: decoding
  uint32_t weights = 0;  // bit i: input i is a weight of the model
};

// A tensor while a plan runs: all sizes are numbers.
struct TensorRef {
  std::byte* data = nullptr;  // nullptr where an optional input is absent
  DType dtype = DType::f32;
  int rank = 0;
  std::array<int64_t, kMaxRank> dim{};
  WeightLayout layout = WeightLayout::row_major;
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dim[i];
    return n;
  }
};

struct CpuCall {
  const Attrs& attrs;
  std::span<const TensorRef> in;
  std::span<const TensorRef> out;
  std::span<std::byte> scratch;  // shared by all workers of this step: scratch_bytes() long, 64-byte aligned
  int workers = 1;
  CpuLevel level = CpuLevel::baseline;  // instruction set to use: Caps::cpu_level of the plan
};

struct GpuCall;
struct GpuLowering;

struct Kernel {
  std::string_view name;  // "linear.rows16_q8_0": op, variant
  Op op;
  Caps::Kind device = Caps::Kind::cpu;
  // Whether this kernel computes `call` on a device with `caps`. Rows are tried in registry order: best first.
  bool (*supports)(const OpCall& call, const Caps& caps) = nullptr;
  // CPU: how many independent items the call has, and how to compute items [begin, end) on one worker. items() is
  // asked once per step, before run (it may prepare the scratch), and sizes an item to be worth handing to another
  // thread (about 5 us or more), so that a small step has one item and stays on the calling thread. What an element
  // becomes never depends on T, on the other rows or on how items are cut.
  int64_t (*items)(const CpuCall& call) = nullptr;
  void (*run)(const CpuCall& call, int64_t begin, int64_t end, int worker) = nullptr;
  // Bytes of scratch for the largest shapes (symbols bound to `bounds`, by SymbolId) and `workers` workers; may be
  // null.
  int64_t (*scratch_bytes)(const OpCall& call, std::span<const int64_t> bounds, int workers) = nullptr;
  // WebGPU: the dispatches of a call (gpu_kernel.h), and how many variants (tile sizes and the like) there are to
  // choose from; null: one. Variant 0 is what runs without tuning.
  GpuLowering (*lower)(const GpuCall& call) = nullptr;
  int (*variants)(const GpuCall& call) = nullptr;
};

// registry.cc: every kernel row of every op folder.
std::span<const Kernel* const> kernels(Op op);
const RefTable& reference_table();
// The best kernel for a call, or nullptr. `variant`: set to the tuned one, or 0.
const Kernel* choose_kernel(const OpCall& call, const Caps& caps, int* variant = nullptr);
// What of a call its speed depends on: "linear f32[T<=512,2048] q4_0[8192,2048]". The key of Tuning.
std::string call_key(const OpCall& call);
// The layout a weight matrix of this type and shape [N, K] gets on a device.
WeightLayout layout_for(DType dtype, std::span<const int64_t> shape, const Caps& caps);
int64_t layout_bytes(DType dtype, std::span<const int64_t> shape, WeightLayout layout);
// Converts `rows` rows of the file's bytes, beginning at row `first_row` (a multiple of 16), into their place in `out`
// (the whole weight). Rows are independent in groups of 16, so callers may pack several ranges in parallel.
void pack_rows(DType dtype, std::span<const int64_t> shape, WeightLayout layout, int64_t first_row, int64_t rows,
               const std::byte* in, std::byte* out);
// One row of a weight in any layout as floats (embedding, tests).
void unpack_row(DType dtype, std::span<const int64_t> shape, WeightLayout layout, const std::byte* weight, int64_t row,
                float* out);

// expand() of a fused op: replaces node `index` by simpler ops (appended or in place) with the same results; false if
// the op is not fused.
bool expand(Graph& graph, int index);

}  // namespace weft
