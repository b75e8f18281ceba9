// How a WebGPU kernel computes a call: a few dispatches of WGSL files, specialised by constants. The planner asks for
// it once a step of a plan (lower), so everything but the actual sizes is known; the device makes pipelines and bind
// groups of it and evaluates the grids at every submit.
//
//   GpuLowering lower_scale(const GpuCall& call) {
//     Constants c;
//     c.u32("kWidth", call.op.in[0].shape.back().count);
//     c.f32("kScale", call.op.attrs.scale);
//     return one_dispatch("scale", c, {in(0), out(0), step()}, {elements / 256, …});
//   }
//
// A kernel is one .wgsl file, valid as it stands: the lines between `// specialise` and `// end` hold an example of
// its constants, which the lowering replaces, all of them. The bindings of group 0 are numbered in the order given.
// Activations are always bound read_write, also those only read: several lie in one buffer, and WebGPU allows no other
// mix. Weights, constants and the step are bound read.
//
// The step buffer (binding array<i32>) holds what differs from submit to submit: word s the size of symbol s,
// kLengthWord the cells in use after the step, kOneWord 1 (the size of a dimension without symbol), and from
// kFirstPortWord the integer input ports, each at a word that GpuCall gives.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "ops/kernel.h"

namespace weft {

inline constexpr int kMaxSymbols = 8;
inline constexpr int kLengthWord = 8, kOneWord = 9, kFirstPortWord = 16;

// Workgroups along one axis: ceil(count * size / per), where size is that of a symbol, of the length, or 1; not more
// than `most`.
struct Extent {
  int64_t count = 1;
  int word = kOneWord;  // of the step buffer
  int64_t per = 1;
  int64_t most = INT64_MAX;
  int64_t groups(int64_t size) const { return std::min((count * size + per - 1) / per, most); }
  bool operator==(const Extent&) const = default;
};
using Grid = std::array<Extent, 3>;

struct GpuBinding {
  enum class From : uint8_t {
    in,       // operand `index` of the inputs: a weight or constant (read), an activation or state (read_write)
    out,      // operand `index` of the outputs
    step,     // the step buffer (read)
    scratch,  // memory of this call alone, `index` in GpuLowering::scratch
    nothing,  // a few bytes that nobody uses, for what a kernel declares and this call has not: once in a dispatch
    weights,  // all weights of the call, one after the other in one buffer: see grouped_offsets
    absent,   // none: the constants declare no binding of that number (Constants::binding)
  } from = From::step;
  int index = 0;
  int part = 0;  // of a weight that is larger than a binding: rows_of_part
  bool operator==(const GpuBinding&) const = default;
};
inline GpuBinding in(int i, int part = 0) { return {GpuBinding::From::in, i, part}; }
inline GpuBinding out(int i) { return {GpuBinding::From::out, i}; }
inline GpuBinding scratch(int i) { return {GpuBinding::From::scratch, i}; }
inline GpuBinding step() { return {GpuBinding::From::step, 0}; }
inline GpuBinding nothing() { return {GpuBinding::From::nothing, 0}; }
inline GpuBinding absent() { return {GpuBinding::From::absent, 0}; }
inline GpuBinding all_weights() { return {GpuBinding::From::weights, 0}; }

// The lengths at which a dispatch runs: above one and up to another; 0: no such limit.
struct LengthRange {
  int64_t above = 0, up_to = 0;
  bool has(int64_t length) const { return (above == 0 || length > above) && (up_to == 0 || length <= up_to); }
};

struct GpuDispatch {
  std::string_view shader;  // stem of the .wgsl file
  std::string constants;    // for its marked block
  std::vector<GpuBinding> bindings;
  Grid grid;
  LengthRange lengths;
};

struct GpuLowering {
  std::vector<int64_t> scratch;  // bytes
  std::vector<GpuDispatch> dispatches;
};

struct GpuCall {
  const OpCall& op;
  const Caps& caps;
  std::span<const int64_t> bounds;      // by symbol
  std::span<const int64_t> port_words;  // by input: word of the step buffer where an integer port begins, else -1
  int variant = 0;                      // below Kernel::variants(call)

  // The word of the step buffer that a dimension's size is multiplied by.
  static int word(const Dim& dim) { return dim.symbol == kNoSymbol ? kOneWord : dim.symbol; }
  int64_t bound(const Dim& dim) const { return dim.count * (dim.symbol == kNoSymbol ? 1 : bounds[dim.symbol]); }
  // Elements of all dimensions but the last `inner` as one Dim (at most one of them has a symbol).
  static Dim rows(const Shape& shape, int inner);
};

// The lines that specialise a kernel.
class Constants {
 public:
  Constants& u32(std::string_view name, int64_t value);
  Constants& i32(std::string_view name, int64_t value);
  Constants& f32(std::string_view name, float value);  // exactly
  Constants& flag(std::string_view name, bool value);
  Constants& alias(std::string_view name, std::string_view type);
  Constants& line(std::string_view text);  // anything else: `enable f16;`
  // `@group(0) @binding(number) var<access> name: array<element>;`. A call that has it not binds absent(), and dead
  // code finds a private variable of that name: each binding of a dispatch costs the host time.
  Constants& binding(std::string_view name, int number, std::string_view access, std::string_view element, bool there);
  // `const kNAME = <count>u; const kNAMEWord = <word>u;` of a dimension: its size is kNAME * step[kNAMEWord].
  Constants& dim(std::string_view name, const Dim& dim);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Of the texts and names of all GPU kernels: figures measured with others say nothing about these.
uint64_t gpu_kernels_fingerprint();

// The text of a kernel with its marked block replaced. Aborts if the kernel is unknown.
std::string specialised_wgsl(std::string_view shader, std::string_view constants);

// Bytes between the planes and weights that share a buffer are multiples of this: the alignment of bindings.
inline constexpr int64_t kGpuAlignment = 256;
inline int64_t align_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Where each weight operand of a call begins in the buffer that From::weights binds; -1 for other operands. In operand
// order, each at a multiple of kGpuAlignment.
std::vector<int64_t> grouped_offsets(const OpCall& call);
// Bytes of that buffer.
int64_t grouped_bytes(const OpCall& call);

}  // namespace weft
