// Where a writer puts bytes, in order. The native host writes to a temporary name and renames on commit.
#pragma once

#include <span>

#include "base/result.h"

namespace weft {

class ByteSink {
 public:
  virtual ~ByteSink() = default;  // without commit: nothing is left behind
  virtual const std::string& name() const = 0;
  virtual Status write(std::span<const std::byte> bytes) = 0;
  virtual Status commit() = 0;  // all bytes are durable under the final name
};

}  // namespace weft
