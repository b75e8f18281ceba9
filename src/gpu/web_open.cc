// Gpu of a browser: from JavaScript's adapters to a device.
#include "base/json.h"
#include "gpu/profiles.h"
#include "gpu/web_gpu.h"
#include "gpu/web_imports.h"

namespace weft {
namespace {

using web::Adapter;

std::string text_of(const OrderedJson& json, const char* name) {
  const OrderedJson* value = json_member(json, name);
  return value && value->is_string() ? value->get<std::string>() : std::string();
}
bool flag_of(const OrderedJson& json, const char* name) {
  const OrderedJson* value = json_member(json, name);
  return value && value->is_boolean() && value->get<bool>();
}
// 0 for what is missing; limits are below 2^53 in JavaScript.
int64_t size_of(const OrderedJson& json, const char* name) {
  const OrderedJson* value = json_member(json, name);
  const double number = value && value->is_number() ? value->get<double>() : 0;
  return number > 0 && number < 9e15 ? static_cast<int64_t>(number) : 0;
}
uint32_t count_of(const OrderedJson& json, const char* name) {
  return static_cast<uint32_t>(std::min<int64_t>(size_of(json, name), UINT32_MAX));
}

// What an adapter grants, as gpu.ts describes it: the members of GpuInfo, and WebGPU's limits.
Adapter adapter_from(const OrderedJson& json) {
  Adapter out;
  GpuInfo& info = out.info;
  info.name = text_of(json, "name");
  info.vendor = text_of(json, "vendor");
  info.architecture = text_of(json, "architecture");
  info.backend = text_of(json, "backend");
  info.driver = text_of(json, "driver");
  info.software = flag_of(json, "software");
  info.f16 = flag_of(json, "f16");
  info.subgroups = flag_of(json, "subgroups");
  info.packed_dot = flag_of(json, "packed_dot");
  info.immediates = flag_of(json, "immediates");
  info.timestamps = flag_of(json, "timestamps");
  info.subgroup_min = count_of(json, "subgroup_min");
  info.subgroup_max = count_of(json, "subgroup_max");
  if (const OrderedJson* matrices = json_member(json, "matrices"))
    for (const OrderedJson& m : *matrices)
      info.matrices.push_back({count_of(m, "m"), count_of(m, "n"), count_of(m, "k"), flag_of(m, "f32_sum")});
  info.subgroup_matrix = !info.matrices.empty();
  const OrderedJson* member = json_member(json, "limits");
  const OrderedJson limits = member ? *member : OrderedJson::object();
  info.max_buffer_bytes = size_of(limits, "maxBufferSize");
  info.max_binding_bytes = size_of(limits, "maxStorageBufferBindingSize");
  info.max_storage_buffers = count_of(limits, "maxStorageBuffersPerShaderStage");
  info.max_workgroup_bytes = count_of(limits, "maxComputeWorkgroupStorageSize");
  info.max_workgroup_invocations = count_of(limits, "maxComputeInvocationsPerWorkgroup");
  info.max_workgroups = count_of(limits, "maxComputeWorkgroupsPerDimension");
  info.offset_alignment = std::max(count_of(limits, "minStorageBufferOffsetAlignment"), 4u);
  out.uniforms = {std::max(count_of(limits, "minUniformBufferOffsetAlignment"), 4u),
                  size_of(limits, "maxUniformBufferBindingSize")};
  return out;
}

// What to ask the adapter for: what its profile leaves, and no more.
OrderedJson wishes_of(const Adapter& adapter) {
  const GpuInfo& info = adapter.info;
  OrderedJson features = OrderedJson::array();
  if (info.f16) features.push_back("shader-f16");
  if (info.subgroups) features.push_back("subgroups");
  if (info.subgroup_matrix) features.push_back("chromium-experimental-subgroup-matrix");
  if (info.timestamps) features.push_back("timestamp-query");
  return {{"features", std::move(features)},
          {"limits",
           {{"maxBufferSize", info.max_buffer_bytes},
            {"maxStorageBufferBindingSize", info.max_binding_bytes},
            {"maxUniformBufferBindingSize", adapter.uniforms.max_bytes},
            {"maxStorageBuffersPerShaderStage", info.max_storage_buffers},
            {"maxComputeWorkgroupStorageSize", info.max_workgroup_bytes},
            {"maxComputeInvocationsPerWorkgroup", info.max_workgroup_invocations},
            {"maxComputeWorkgroupSizeX", info.max_workgroup_invocations},
            {"maxComputeWorkgroupSizeY", info.max_workgroup_invocations},
            {"maxComputeWorkgroupsPerDimension", info.max_workgroups},
            {"minStorageBufferOffsetAlignment", info.offset_alignment},
            {"minUniformBufferOffsetAlignment", adapter.uniforms.alignment}}}};
}

Task<Result<std::vector<Adapter>>> adapters() {
  Pending answer;
  weft_gpu_adapters(answer.number());
  WEFT_CO_TRY(const std::string text, co_await answer.ended("GPU"));
  WEFT_CO_TRY(const OrderedJson list, parse_ordered_json(text, "adapters of WebGPU"));
  std::vector<Adapter> out;
  for (const OrderedJson& json : list) out.push_back(adapter_from(json));
  co_return out;
}

}  // namespace

Task<Result<std::unique_ptr<Gpu>>> open_gpu(Host&, GpuOptions options) {
  WEFT_CO_TRY(auto found, co_await adapters());
  const auto count = static_cast<int>(found.size());
  if (options.adapter < 0 || options.adapter >= count)
    co_return fail(Code::no_device, "GPU", "adapter " + std::to_string(options.adapter),
                   "a number below " + std::to_string(count), {});
  Adapter& adapter = found[static_cast<size_t>(options.adapter)];
  if (adapter.info.software && !options.allow_software)
    co_return fail(Code::no_device, "GPU", "adapter " + std::to_string(options.adapter), "a GPU",
                   "the software driver " + adapter.info.name);
  adapter.info = apply_profile(options.profile, std::move(adapter.info));
  adapter.uniforms.alignment = std::max(adapter.uniforms.alignment, adapter.info.offset_alignment);

  const uint32_t number = web::next_number();
  const std::string name = adapter.info.name, wishes = dump_json(wishes_of(adapter));
  auto gpu = std::make_unique<web::WebGpu>(number, std::move(adapter));  // closes it again if nobody awaits it
  Pending opened;
  weft_gpu_open(opened.number(), number, static_cast<uint32_t>(options.adapter), wishes.data(), wishes.size());
  WEFT_CO_TRY(const std::string nothing, co_await opened.ended(name));
  co_return std::move(gpu);
}

Task<Result<std::vector<GpuInfo>>> gpu_adapters(Host&) {
  WEFT_CO_TRY(auto found, co_await adapters());
  std::vector<GpuInfo> out;
  for (Adapter& adapter : found) out.push_back(std::move(adapter.info));
  co_return out;
}

}  // namespace weft
