// A case of large_cases: its bytes are made by all processors, and its reference has some columns of the result only.
//
//   const LargeCase large(c);
//   GpuCase(large.run(), caps, choice) …
//   large.pick(results)   // as many columns of what the kernel gives as large.reference() has
#pragma once

#include "unit/ops/case_runner.h"

namespace weft::test {

class LargeCase {
 public:
  explicit LargeCase(const Case& c);
  const CaseRun& run() const { return run_; }  // without the weight's floats
  const HostTensor& reference() const { return reference_; }
  std::vector<float> pick(std::span<const float> result) const;  // [T, N] -> [T, columns]

 private:
  CaseRun part(std::span<const int64_t> columns) const;

  CaseRun run_;
  size_t weight_ = 0;             // the input that is the matrix; its bias and a residual follow
  std::vector<int64_t> columns_;  // ascending; the first and the last among them
  HostTensor reference_;
};

}  // namespace weft::test
