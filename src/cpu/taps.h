// Named values as floats, as they are made.
#pragma once

#include "cpu/prepared_plan.h"

namespace weft {

// Follows the nodes of a plan's graph beside its steps, so that views, which have no step, are seen too.
class Taps {
 public:
  Taps(const PreparedPlan& plan, const TapSink& sink);
  void before_first_step();      // views of inputs and constants
  void after_step(size_t step);  // its results, then the views that follow
 private:
  void show(ValueId value);
  void views_until(int32_t node);
  const PreparedPlan& plan_;
  const TapSink& sink_;
  std::vector<TensorRef> refs_;  // by value
  int32_t next_node_ = 0;
};

}  // namespace weft
