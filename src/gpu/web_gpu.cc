// Gpu of a browser: life, buffers, kernels, bind groups.
#include "gpu/web_gpu.h"

#include <cstdlib>
#include <list>

#include "gpu/web_imports.h"

namespace weft::web {
namespace {

std::vector<std::pair<uint32_t, WebGpu*>>& open_gpus() {
  static std::vector<std::pair<uint32_t, WebGpu*>> open;
  return open;
}

template <class Handle>
uint32_t number_of(Handle handle) {
  return static_cast<uint32_t>(handle);
}

}  // namespace

Status Trouble::take() {
  if (!any_) return {};
  any_ = lost_;
  return fail(error_);
}

void Trouble::set(Code code, std::string message) {
  const bool loss = code == Code::device_lost;
  if (lost_ || (any_ && !loss)) return;  // the first says most
  lost_ = loss;
  any_ = true;
  error_ = {code, "GPU", loss ? "the device was lost" : "an earlier command", {}, std::move(message), {}};
}

uint32_t next_number() {
  static uint32_t last = 0;
  return ++last;
}

void trouble(uint32_t number, Code code, std::string text) {
  for (auto& [known, gpu] : open_gpus())
    if (known == number) gpu->trouble_.set(code, std::move(text));
}

WebGpu::WebGpu(uint32_t number, Adapter adapter)
    : number_(number), info_(std::move(adapter.info)), uniforms_(adapter.uniforms) {
  open_gpus().emplace_back(number_, this);
}

WebGpu::~WebGpu() {
  weft_gpu_close(number_);
  std::erase(open_gpus(), std::pair(number_, this));
}

// The end of an operation; the device's loss and earlier errors go before its own.
Task<Status> WebGpu::answered(Pending& pending, std::string where, std::string what) {
  auto ended = co_await pending.ended(std::move(where));
  WEFT_CO_CHECK_OK(trouble_.take());
  if (ended) co_return Status{};
  Error error = std::move(ended).error();
  error.found = std::exchange(error.what, std::move(what));
  if (error.code == Code::bad_shader) error.expected = "a valid kernel";
  if (const size_t end = error.found.find('\n'); end != std::string::npos) {
    error.what = error.found.substr(0, end);
    error.found.erase(0, end + 1);
  }
  co_return fail(std::move(error));
}

Task<Result<GpuBuffer>> WebGpu::create_buffer(int64_t bytes, std::string label) {
  WEFT_CO_CHECK_OK(trouble_.take());
  WEFT_CO_CHECK_OK(check_buffer_size(info_, bytes, label));
  const GpuBuffer buffer{buffers_.add({bytes, label})};
  bytes_in_use_ += bytes;
  Undo undo([&] { destroy(buffer); });
  Pending made;
  weft_gpu_create_buffer(number_, made.number(), number_of(buffer), static_cast<double>(bytes), label.data(),
                         label.size());
  WEFT_CO_CHECK_OK(co_await answered(made, label, "a buffer of " + bytes_text(bytes)));
  undo.keep();
  co_return buffer;
}

void WebGpu::destroy(GpuBuffer buffer) {
  const GpuBufferFacts* found = buffers_.find(number_of(buffer));
  if (!found || found->bytes == 0) return;
  bytes_in_use_ -= found->bytes;
  weft_gpu_destroy_buffer(number_, number_of(buffer));
  buffers_.remove(number_of(buffer));
}

void WebGpu::destroy(GpuBindGroup group) {
  const BindGroup* found = groups_.find(number_of(group));
  if (!found || !found->given) return;
  weft_gpu_destroy_group(number_, number_of(group));
  groups_.remove(number_of(group));
}

void WebGpu::destroy(GpuPipeline pipeline) {
  weft_gpu_destroy_pipeline(number_, number_of(pipeline));
  pipelines_.remove(number_of(pipeline));
}

Task<Result<std::vector<GpuPipeline>>> WebGpu::create_pipelines(std::span<const GpuShader> shaders) {
  WEFT_CO_CHECK_OK(trouble_.take());
  std::list<Pending> answers;
  std::vector<GpuPipeline> made;
  Undo undo([&] {
    for (GpuPipeline pipeline : made) destroy(pipeline);
  });
  for (const GpuShader& shader : shaders) {
    const std::vector<WgslBinding> bindings = wgsl_bindings(shader.wgsl);
    std::vector<uint32_t> words;
    for (const WgslBinding& b : bindings) words.insert(words.end(), {b.number, b.kind});
    made.push_back(GpuPipeline{pipelines_.add({shader.label, bindings, true})});
    weft_gpu_create_pipeline(number_, answers.emplace_back().number(), number_of(made.back()), shader.label.data(),
                             shader.label.size(), shader.wgsl.data(), shader.wgsl.size(), words.data(),
                             bindings.size());
  }
  size_t i = 0;
  for (Pending& answer : answers)
    WEFT_CO_CHECK_OK(co_await answered(answer, shaders[i++].label, "compiling for the GPU"));
  undo.keep();
  co_return std::move(made);
}

// JavaScript learns only later what the GPU makes of a bind group, so that the checks here are all there are at once.
Result<GpuBindGroup> WebGpu::create_bind_group(GpuPipeline pipeline, std::span<const GpuRange> ranges) {
  WEFT_CHECK_OK(trouble_.take());
  const Pipeline* p = pipelines_.find(number_of(pipeline));
  if (!p || !p->given)
    return fail(Code::invalid_argument, "GPU", "making a bind group", "a pipeline",
                "handle " + std::to_string(number_of(pipeline)));
  WEFT_CHECK_OK(check_ranges(p->label, p->bindings, ranges, info_, uniforms_,
                             [this](GpuBuffer buffer) { return buffers_.find(number_of(buffer)); }));
  std::vector<uint32_t> words;
  for (const WgslBinding& b : p->bindings) {
    const GpuRange& range = ranges[b.number];
    words.insert(words.end(), {b.number, number_of(range.buffer)});
    for (int64_t n : {range.offset, range.bytes})
      words.insert(words.end(), {static_cast<uint32_t>(n), static_cast<uint32_t>(static_cast<uint64_t>(n) >> 32)});
  }
  const GpuBindGroup group{groups_.add({true})};
  weft_gpu_create_group(number_, number_of(group), number_of(pipeline), words.data(), p->bindings.size());
  return group;
}

int64_t WebGpu::bytes_in_use() const { return bytes_in_use_ + static_cast<int64_t>(weft_gpu_staging(number_)); }

void WebGpu::lose() {
  trouble_.set(Code::device_lost, "lose() was called");
  weft_gpu_lose(number_);
}

}  // namespace weft::web

// JavaScript allocated the text with weft_alloc.
extern "C" __attribute__((export_name("weft_gpu_trouble"))) void weft_gpu_trouble(uint32_t gpu, int32_t code,
                                                                                  char* text, size_t length) {
  weft::web::trouble(gpu, static_cast<weft::Code>(code), std::string(text, length));
  std::free(text);
}
