// weft verify without a reference: the GPU's logits against the CPU's, by the plans that generation and bench use.
#pragma once

#include "command.h"

namespace weft::cli {

struct StepTolerance {
  float absolute = -1, relative = -1;  // below 0: by what is compared
  float absolute_or(float usual) const { return absolute < 0 ? usual : absolute; }
  float relative_or(float usual) const { return relative < 0 ? usual : relative; }
};

// Both read the same prompt and then the same tokens one by one, which the CPU chooses. `mismatch` where a logit
// differs by more than the tolerance.
Outcome verify_steps(Context& context, const StepTolerance& tolerance);

}  // namespace weft::cli
