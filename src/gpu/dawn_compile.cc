// Gpu on Dawn: kernels.
#include "gpu/dawn_gpu.h"

namespace weft::dawn {
// Starts the compilation of one kernel on Dawn's worker threads.
Status DawnGpu::begin_compile(Compile& compile) {
  Pipeline& pipeline = compile.pipeline;
  pipeline.label = compile.shader.label;
  pipeline.bindings = wgsl_bindings(compile.shader.wgsl);
  WGPUShaderSourceWGSL source = WGPU_SHADER_SOURCE_WGSL_INIT;
  source.code = dawn_text(std::string_view(compile.shader.wgsl));
  WGPUShaderModuleDescriptor module = WGPU_SHADER_MODULE_DESCRIPTOR_INIT;
  module.nextInChain = &source.chain;
  module.label = dawn_text(std::string_view(pipeline.label));
  push_scopes();
  compile.module = dawn_.DeviceCreateShaderModule(d_.device, &module);

  std::vector<WGPUBindGroupLayoutEntry> entries;
  for (const WgslBinding& b : pipeline.bindings) {
    WGPUBindGroupLayoutEntry entry = WGPU_BIND_GROUP_LAYOUT_ENTRY_INIT;
    entry.binding = b.number;
    entry.visibility = WGPUShaderStage_Compute;
    entry.buffer.type = b.kind == WgslBinding::uniform     ? WGPUBufferBindingType_Uniform
                        : b.kind == WgslBinding::read_only ? WGPUBufferBindingType_ReadOnlyStorage
                                                           : WGPUBufferBindingType_Storage;
    entries.push_back(entry);
  }
  WGPUBindGroupLayoutDescriptor group = WGPU_BIND_GROUP_LAYOUT_DESCRIPTOR_INIT;
  group.label = module.label;
  group.entries = entries.data();
  group.entryCount = entries.size();
  pipeline.layout = dawn_.DeviceCreateBindGroupLayout(d_.device, &group);
  WGPUPipelineLayoutDescriptor layout = WGPU_PIPELINE_LAYOUT_DESCRIPTOR_INIT;
  layout.bindGroupLayouts = &pipeline.layout;
  layout.bindGroupLayoutCount = 1;
  WGPUPipelineLayout pipeline_layout = dawn_.DeviceCreatePipelineLayout(d_.device, &layout);
  Status made = pop_scopes(pipeline.label, "compiling the kernel");
  if (made) {
    WGPUComputePipelineDescriptor descriptor = WGPU_COMPUTE_PIPELINE_DESCRIPTOR_INIT;
    descriptor.label = module.label;
    descriptor.layout = pipeline_layout;
    descriptor.compute.module = compile.module;
    descriptor.compute.entryPoint = dawn_text(std::string_view("main"));
    WGPUCreateComputePipelineAsyncCallbackInfo callback = WGPU_CREATE_COMPUTE_PIPELINE_ASYNC_CALLBACK_INFO_INIT;
    callback.mode = WGPUCallbackMode_WaitAnyOnly;
    callback.userdata1 = &compile;
    callback.callback = [](WGPUCreatePipelineAsyncStatus, WGPUComputePipeline done, WGPUStringView message, void* to,
                           void*) {
      static_cast<Compile*>(to)->pipeline.handle = done;
      static_cast<Compile*>(to)->message = dawn_text(message);
    };
    compile.future = dawn_.DeviceCreateComputePipelineAsync(d_.device, &descriptor, callback);
  }
  dawn_.PipelineLayoutRelease(pipeline_layout);
  if (made || made.error().code == Code::device_lost) return made;
  Status detailed = compile_error(compile);
  if (!detailed) return detailed;
  Error error = std::move(made).error();
  if (error.code != Code::out_of_memory) error.code = Code::bad_shader;
  return fail(std::move(error));
}

// The first error message of the compiler with its line; ok if it has none.
Status DawnGpu::compile_error(Compile& compile) {
  struct Answer {
    std::string place, message;
    int errors = 0;
  } answer;
  WGPUCompilationInfoCallbackInfo callback = WGPU_COMPILATION_INFO_CALLBACK_INFO_INIT;
  callback.mode = WGPUCallbackMode_WaitAnyOnly;
  callback.userdata1 = &answer;
  callback.callback = [](WGPUCompilationInfoRequestStatus, const WGPUCompilationInfo* info, void* to, void*) {
    auto& out = *static_cast<Answer*>(to);
    for (size_t i = 0; info && i < info->messageCount; ++i) {
      const WGPUCompilationMessage& m = info->messages[i];
      if (m.type != WGPUCompilationMessageType_Error || out.errors++) continue;
      out.place = "line " + std::to_string(m.lineNum) + ", column " + std::to_string(m.linePos);
      out.message = dawn_text(m.message);
    }
  };
  WEFT_CHECK_OK(wait(dawn_.ShaderModuleGetCompilationInfo(compile.module, callback)));
  if (!answer.errors) return {};
  if (answer.errors > 1) answer.message += " (and " + std::to_string(answer.errors - 1) + " more)";
  return fail(Code::bad_shader, compile.shader.label, answer.place, "a valid kernel", one_line(answer.message));
}

void DawnGpu::drop(Pipeline& pipeline) {
  if (pipeline.handle) dawn_.ComputePipelineRelease(pipeline.handle);
  if (pipeline.layout) dawn_.BindGroupLayoutRelease(pipeline.layout);
}

Task<Result<std::vector<GpuPipeline>>> DawnGpu::create_pipelines(std::span<const GpuShader> shaders) {
  WEFT_CO_CHECK_OK(trouble_.take());
  Status status;
  std::vector<std::unique_ptr<Compile>> compiles;
  for (const GpuShader& shader : shaders) {
    compiles.push_back(std::make_unique<Compile>(Compile{.shader = shader}));
    status = begin_compile(*compiles.back());
    if (!status) break;
  }
  for (auto& compile : compiles) {
    if (!compile->future.id) continue;
    if (Status done = wait(compile->future); !done) {
      for (auto& c : compiles) (void)c.release();  // hung: their callbacks may still come
      co_return fail(std::move(done).error());
    }
    if (compile->pipeline.handle || !status) continue;
    status = trouble_.take();
    if (status)
      status = fail(Code::bad_shader, compile->shader.label, "compiling for the GPU", "a valid kernel",
                    one_line(compile->message));
  }
  std::vector<GpuPipeline> made;
  for (auto& compile : compiles) {
    if (compile->module) dawn_.ShaderModuleRelease(compile->module);
    if (status)
      made.push_back(GpuPipeline{pipelines_.add(std::move(compile->pipeline))});
    else
      drop(compile->pipeline);
  }
  if (!status) co_return fail(std::move(status).error());
  co_return made;
}

}  // namespace weft::dawn
