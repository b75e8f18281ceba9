// The weights and constants of a model in GPU buffers, converted as they stream in: never a whole file in memory.
#pragma once

#include "gpu/gpu.h"
#include "plan/device.h"

namespace weft {

class GpuWeights {
 public:
  // Weights of one group of weight_groups(plans) lie one after the other in one buffer, at multiples of
  // kGpuAlignment; every other one has a buffer of its own, or a buffer for each of its parts where it is larger than a
  // binding (rows_of_part). out_of_memory names the weight and the bytes.
  Task<Status> load(const Model& model, std::span<const Plan* const> plans, const Caps& caps, Gpu& gpu,
                    WeightReader& reader, Host& host, const Progress& progress, const CancelFlag* cancel);
  const GpuRange& weight(int index, int part = 0) const { return weights_[index].parts[part]; }
  const GpuRange& constant(int index) const { return constants_[index]; }
  // The range over all of a group, by its weights in order.
  GpuRange group(std::span<const int32_t> weights) const;
  size_t weights() const { return weights_.size(); }
  int64_t bytes() const { return bytes_; }
  void destroy(Gpu& gpu);

 private:
  Task<Status> place(const Model& model, std::span<const Plan* const> plans, std::span<const WeightLayout> layouts,
                     int64_t most_bytes, Gpu& gpu);
  struct Placed {
    std::vector<GpuRange> parts;
    int64_t part_rows = 0;
  };
  std::vector<Placed> weights_;
  std::vector<GpuRange> constants_;
  std::vector<GpuBuffer> buffers_;
  int64_t bytes_ = 0;
};

}  // namespace weft
