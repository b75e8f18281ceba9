// Runs one case on one kernel: builds tensors with sentinels around them, and gives results back as floats.
#pragma once

#include "ops/cases.h"
#include "ops/kernel.h"

namespace weft::test {

// Memory with 64 sentinel bytes on both sides.
class Guarded {
 public:
  explicit Guarded(int64_t bytes, uint8_t fill);
  std::byte* data() { return bytes_.data() + offset_; }
  bool intact() const;

 private:
  std::vector<std::byte> bytes_;
  size_t offset_ = 0;
  int64_t size_;
};

// Encodes floats as `dtype` with the file formats' own encoders (i8_32: by its definition).
std::vector<std::byte> encode(DType dtype, const HostTensor& data);
// Floats that the encoded bytes stand for, by the file formats' own decoders.
std::vector<float> decode(DType dtype, const std::byte* bytes, int64_t elements, int64_t row);

struct CaseRun {
  Case test;
  Graph graph;
  std::vector<HostTensor> values;               // inputs as the kernel will see them, rounded to their types
  std::vector<std::vector<std::byte>> encoded;  // the same as bytes

  CaseRun() = default;  // to be filled in
  explicit CaseRun(const Case& c);
  // The case of row `t` alone.
  CaseRun row(int64_t t) const;
  int64_t rows() const;  // T, or 0 where rows do not stand for themselves

  OpCall call(std::vector<ValueType>& in, std::vector<ValueType>& out, WeightLayout layout) const;
  std::vector<HostTensor> reference() const;
  // Results of the kernel; `pieces`: how many calls of run() the items are spread over. Reports broken sentinels.
  std::vector<std::vector<float>> run(const Kernel& kernel, CpuLevel level, WeightLayout layout, int pieces,
                                      std::string& damage) const;
};

}  // namespace weft::test
