// The Host of a browser's or Node's worker: everything is asked of JavaScript (imports.h).
#pragma once

#include "base/host.h"

namespace weft {

class WebHost final : public Host {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override;
  void log(LogLevel level, std::string_view text) override;
  double now() override;
  Task<void> yield() override;
  int cores() override;
  std::unique_ptr<Workers> start_workers(int count, std::function<void(int)> body) override;
};

}  // namespace weft
