// The inputs of one step for commands that run plans by themselves (measuring, tuning); a session has its own.
//
//   const StepInput input(plan, {.ids = ids, .first = 512});
//   WEFT_CO_CHECK_OK(co_await device.submit(plan, input.bindings(), nullptr, nullptr));
#pragma once

#include "plan/device.h"

namespace weft {

class StepInput {
 public:
  struct Step {
    std::span<const int32_t> ids;
    int64_t first = 0;  // cell and position of the first id
    int32_t slot = 0;
  };
  // Logits of the last token, where the graph has rows to choose. At most as many ids as the plan is for.
  StepInput(const Plan& plan, const Step& step);
  const Bindings& bindings() const { return bindings_; }

 private:
  std::vector<std::vector<int32_t>> values_;  // by port
  Bindings bindings_;
};

}  // namespace weft
