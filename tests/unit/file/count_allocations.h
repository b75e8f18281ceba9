// Counts what operator new hands out in this program, so that a test can say "a hostile count allocated nothing".
#pragma once

#include <cstddef>

namespace weft::test {

struct AllocationCount {
  AllocationCount();       // begins at zero
  size_t largest() const;  // bytes of the largest single allocation since
  size_t total() const;    // bytes of all together
};

}  // namespace weft::test
