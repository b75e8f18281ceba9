#include "gpu/gpu.h"

namespace weft {

Task<Result<GpuPipeline>> Gpu::create_pipeline(GpuShader shader) {
  WEFT_CO_TRY(auto made, co_await create_pipelines({&shader, 1}));
  co_return made[0];
}

Task<Status> Gpu::read(GpuBuffer buffer, int64_t offset, std::span<std::byte> out) {
  WEFT_CO_TRY(GpuTicket ticket, begin_read(buffer, offset, static_cast<int64_t>(out.size())));
  co_return co_await end_read(ticket, out);
}

}  // namespace weft
