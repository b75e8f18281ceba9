// A GPU that binds fewer bytes than it could: matrices larger than that lie in parts.
//
//   LoadOptions options{.make_device = small_bindings(20'000)};
#pragma once

#include <functional>

#include "gpu/webgpu_device.h"
#include "support/support.h"

namespace weft::test {

inline std::function<Result<std::unique_ptr<Device>>(Host&)> small_bindings(int64_t most_bytes) {
  return [most_bytes](Host& host) -> Result<std::unique_ptr<Device>> {
    WEFT_TRY(auto gpu, run(open_gpu(host, {.robust = true})));
    Caps caps = webgpu_caps(gpu->info());
    caps.gpu.max_binding_bytes = most_bytes;
    return make_webgpu_device(host, std::move(gpu), std::move(caps));
  };
}

}  // namespace weft::test
