// The weights and constants of a model in the layouts that the kernels read.
#pragma once

#include <vector>

#include "cpu/memory.h"
#include "cpu/pool.h"
#include "plan/device.h"

namespace weft {

class WeightStore {
 public:
  // Weights that are row-major and mapped stay where they are; the others are converted into memory of our own, chunk
  // by chunk and in parallel, so that file and copy are never both in memory.
  Task<Status> load(const Model& model, std::vector<WeightLayout> layouts, WeightReader& reader, Pool& pool, Host& host,
                    const Progress& progress, const CancelFlag* cancel);

  const TensorRef& weight(int index) const { return weights_[index]; }
  const TensorRef& constant(int index) const { return constants_[index]; }
  size_t weights() const { return weights_.size(); }
  size_t constants() const { return constants_.size(); }
  int64_t bytes() const { return bytes_; }

 private:
  Task<Status> convert(const Model& model, int index, WeightReader& reader, Pool& pool, Host& host,
                       const Progress& progress, const CancelFlag* cancel, int64_t& done);
  std::vector<TensorRef> weights_, constants_;
  Memory converted_, constant_data_;
  int64_t bytes_ = 0;
  bool huge_pages_ = true;
};

}  // namespace weft
