// Bytes that the steps of a plan move between memory and processor: what a step can at best be limited by.
//
//   Traffic all = plan_traffic(plan, {.tokens = 1, .length = 512});   // a decode step with 512 cells in use
#pragma once

#include "plan/plan.h"

namespace weft {

struct Traffic {
  double weights = 0, states = 0, activations = 0;  // bytes
  double total() const { return weights + states + activations; }
  Traffic& operator+=(const Traffic& other) {
    weights += other.weights, states += other.states, activations += other.activations;
    return *this;
  }
};

struct StepSizes {
  int64_t tokens = 1;  // of this step
  int64_t rows = 1;    // of them with logits
  int64_t length = 1;  // cells in use after it, of one slot
};

// Every operand once: weights whole (an embedding by its rows), states that attention reads up to `length`, others by
// what is written; scratch memory is left out.
Traffic step_traffic(const Plan& plan, const Step& step, const StepSizes& sizes);
Traffic plan_traffic(const Plan& plan, const StepSizes& sizes);
// Dispatches that a WebGPU plan makes.
int plan_dispatches(const Plan& plan, int64_t length);

}  // namespace weft
