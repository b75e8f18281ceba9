// A plan made ready on a GPU: pipelines, bind groups, memory for its values. Everything is made once; a submit only
// writes the step buffer and walks the dispatches.
#pragma once

#include "gpu/gpu_pipelines.h"
#include "gpu/gpu_weights.h"

namespace weft {

class GpuPlan {
 public:
  struct Dispatch {
    GpuPipeline pipeline;
    GpuBindGroup group;
    Grid grid;
    LengthRange lengths;
  };
  struct Memories {
    const GpuWeights& weights;
    std::span<const GpuRange> states;
  };

  static Task<Result<std::unique_ptr<GpuPlan>>> create(const Plan& plan, Gpu& gpu, const Memories& memories,
                                                       GpuPipelines& pipelines);
  ~GpuPlan();  // gives its memory back
  // Buffers and bind groups anew: what it would cost to make them for every step. Bound sizes are forgotten.
  Task<Status> renew();

  const Plan& plan() const { return *plan_; }
  // Checks the bindings and writes them to the GPU. invalid_argument names the port or symbol.
  Status bind(const Bindings& bindings);
  // The same for a plan of one token: row 0 of `slot` at cell and position `cell`, its id still to come.
  Status bind_one(int32_t slot, int64_t cell);
  // Appends the dispatches of step `step`, or of all, for the sizes last bound and `length` cells in use.
  void encode(GpuCommands& commands, size_t step, int64_t length) const;
  void encode(GpuCommands& commands, int64_t length) const;
  bool runs(size_t step, size_t dispatch) const;  // with the sizes last bound
  // Every dispatch a timed pass of its own, numbered from 0; returns how many.
  uint32_t encode_timed(GpuCommands& commands, int64_t length) const;

  int64_t length() const { return length_; }  // as bound
  int64_t bytes() const { return bytes_; }    // of activations, outputs and step buffer
  GpuRange step_range() const { return {step_, 0, align_up(static_cast<int64_t>(step_words_.size()) * 4, 16)}; }
  // Word of the step buffer where an integer input port begins; -1: there is none of that name.
  int64_t port_word(std::string_view name) const;
  GpuRange output(int port) const;                          // at its largest
  GpuRange place(const Place& place, int64_t bytes) const;  // of an operand; {} for what lies in the step buffer
  std::span<const int64_t> symbols() const { return symbols_; }
  std::span<const std::vector<Dispatch>> steps() const { return dispatches_; }

 private:
  GpuPlan(const Plan& plan, Gpu& gpu, const Memories& memories)
      : plan_(&plan), gpu_(gpu), weights_(memories.weights), states_(memories.states.begin(), memories.states.end()) {}
  void release();
  Task<Status> make_buffers();
  Task<Status> make_pipelines(GpuPipelines& pipelines);
  Status check_grid(const Step& step, const GpuDispatch& dispatch) const;
  Status make_groups();
  Result<GpuRange> range_of(const Step& step, const GpuBinding& binding) const;
  // Workgroups of a dispatch; false if there are none.
  bool size_of_grid(const Dispatch& dispatch, int64_t length, std::array<uint32_t, 3>& size) const;
  Status check_indices(const Bindings& bindings) const;

  const Plan* plan_;
  Gpu& gpu_;
  const GpuWeights& weights_;
  std::vector<GpuRange> states_;
  std::vector<std::vector<Dispatch>> dispatches_;  // by step
  GpuBuffer arena_ = GpuBuffer::none, step_ = GpuBuffer::none, nothing_ = GpuBuffer::none;
  std::vector<GpuBuffer> outputs_, inputs_;  // by port; inputs: of ports that are not integers
  std::vector<int64_t> port_words_;
  std::vector<IndexPort> index_ports_;
  std::vector<int32_t> step_words_;
  std::vector<int64_t> symbols_;
  int64_t length_ = 0, bytes_ = 0;
  int cells_port_ = -1;
};

}  // namespace weft
