// Gpu on Dawn: command lists. Every token passes here: nothing of ours is allocated.
#include "gpu/dawn_gpu.h"

namespace weft::dawn {
void DawnGpu::send(WGPUCommandEncoder encoder) {
  WGPUCommandBuffer commands = dawn_.CommandEncoderFinish(encoder, nullptr);
  dawn_.CommandEncoderRelease(encoder);
  dawn_.QueueSubmit(queue_, 1, &commands);
  dawn_.CommandBufferRelease(commands);
}

Status DawnGpu::submit(const GpuCommands& commands) {
  WEFT_CHECK_OK(trouble_.take());
  if (commands.empty()) return {};
  WGPUCommandEncoder encoder = dawn_.DeviceCreateCommandEncoder(d_.device, nullptr);
  if (Status recorded = record(commands, encoder); !recorded) {
    dawn_.CommandEncoderRelease(encoder);
    return recorded;
  }
  send(encoder);
  return trouble_.take();
}

Status DawnGpu::record(const GpuCommands& commands, WGPUCommandEncoder encoder) {
  auto unknown = [](const char* kind, uint32_t id) {
    return fail(Code::invalid_argument, "GPU", "a command", kind, "handle " + std::to_string(id));
  };
  WGPUComputePassEncoder pass = nullptr;
  uint32_t last_pipeline = 0, last_group = 0;
  auto end_pass = [&] {
    if (!pass) return;
    dawn_.ComputePassEncoderEnd(pass);
    dawn_.ComputePassEncoderRelease(pass);
    pass = nullptr;
  };
  auto begin_pass = [&](const WGPUPassTimestampWrites* times) {
    WGPUComputePassDescriptor descriptor = WGPU_COMPUTE_PASS_DESCRIPTOR_INIT;
    descriptor.timestampWrites = times;
    pass = dawn_.CommandEncoderBeginComputePass(encoder, &descriptor);
    last_pipeline = last_group = 0;
  };
  const uint32_t* w = commands.words().data();
  const uint32_t* end = w + commands.words().size();
  auto long_at = [&](int i) { return w[i] | uint64_t{w[i + 1]} << 32; };
  Status status;
  while (w < end && status) {
    switch (w[0]) {
      case GpuCommands::kDispatch: {
        if (!pass) begin_pass(nullptr);
        if (w[1] != last_pipeline || !last_pipeline) {
          Pipeline* pipeline = pipelines_.find(w[1]);
          if (!pipeline) {
            status = unknown("a pipeline", w[1]);
            break;
          }
          dawn_.ComputePassEncoderSetPipeline(pass, pipeline->handle);
          last_pipeline = w[1];
        }
        if (w[2] != last_group || !last_group) {
          BindGroup* group = groups_.find(w[2]);
          if (!group || !group->handle) {
            status = unknown("a bind group", w[2]);
            break;
          }
          dawn_.ComputePassEncoderSetBindGroup(pass, 0, group->handle, 0, nullptr);
          last_group = w[2];
        }
        dawn_.ComputePassEncoderDispatchWorkgroups(pass, w[3], w[4], w[5]);
        w += 6;
        break;
      }
      case GpuCommands::kCopy: {
        end_pass();
        Buffer *from = buffers_.find(w[1]), *to = buffers_.find(w[2]);
        if (!from || !from->handle || !to || !to->handle) {
          status = unknown("two buffers", from && from->handle ? w[2] : w[1]);
          break;
        }
        dawn_.CommandEncoderCopyBufferToBuffer(encoder, from->handle, long_at(3), to->handle, long_at(5), long_at(7));
        w += 9;
        break;
      }
      case GpuCommands::kClear: {
        end_pass();
        Buffer* buffer = buffers_.find(w[1]);
        if (!buffer || !buffer->handle) {
          status = unknown("a buffer", w[1]);
          break;
        }
        dawn_.CommandEncoderClearBuffer(encoder, buffer->handle, long_at(2), long_at(4));
        w += 6;
        break;
      }
      default: {  // kTimedPass
        uint32_t index = w[1];
        w += 2;
        if (!d_.info.timestamps) break;
        if (index >= kMaxTimedPasses) {
          status = fail(Code::invalid_argument, "GPU", "the index of a timed pass",
                        "less than " + std::to_string(kMaxTimedPasses), std::to_string(index));
          break;
        }
        status = ensure_queries();
        if (!status) break;
        end_pass();
        WGPUPassTimestampWrites times = WGPU_PASS_TIMESTAMP_WRITES_INIT;
        times.querySet = queries_[index / kPassesPerSet];
        times.beginningOfPassWriteIndex = 2 * (index % kPassesPerSet);
        times.endOfPassWriteIndex = times.beginningOfPassWriteIndex + 1;
        begin_pass(&times);
      }
    }
  }
  end_pass();
  return status;
}

Status DawnGpu::ensure_queries() {
  if (resolved_) return {};
  push_scopes();
  for (WGPUQuerySet& set : queries_) {
    WGPUQuerySetDescriptor descriptor = WGPU_QUERY_SET_DESCRIPTOR_INIT;
    descriptor.type = WGPUQueryType_Timestamp;
    descriptor.count = 2 * kPassesPerSet;
    if (!set) set = dawn_.DeviceCreateQuerySet(d_.device, &descriptor);
  }
  WEFT_CHECK_OK(pop_scopes("GPU", "making timestamp queries"));
  WEFT_TRY(resolved_, make_buffer(int64_t{16} * kMaxTimedPasses, WGPUBufferUsage_QueryResolve | WGPUBufferUsage_CopySrc,
                                  "timestamps"));
  return {};
}

}  // namespace weft::dawn
