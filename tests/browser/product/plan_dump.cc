// Prints the plans that a GPU of given caps would get, without such a GPU: what a browser's are compared to, byte by
// byte.
//
//   test_plan_dump models/weft-stories-7m-q8_0.gguf '{"f16": true, "max_buffer_bytes": 4294967292, …}'
//
// The caps are the members of GpuInfo (src/ops/gpu_info.h) that plans depend on, the device's "name",
// and "context" and "chunk". Output:
// {"decode": text, "prefill": text}.
#include <cstdio>

#include "base/json.h"
#include "session/session.h"
#include "support/support.h"

namespace weft::test {
namespace {

// A device that grants what it is told and computes nothing.
class PlannedDevice : public Device {
 public:
  PlannedDevice(std::string name, GpuInfo gpu) {
    caps_.kind = Caps::Kind::webgpu;
    caps_.name = std::move(name);
    caps_.gpu = std::move(gpu);
  }
  const Caps& caps() const override { return caps_; }
  MemoryUse memory() const override { return {}; }
  Task<Status> load(const Model&, std::span<const Plan* const>, WeightReader&, const Progress&,
                    const CancelFlag*) override {
    co_return Status{};
  }
  Task<Status> create_states(const Model&, std::span<const std::pair<std::string, int64_t>>) override {
    co_return Status{};
  }
  Task<Status> prepare(const Plan&) override { co_return Status{}; }
  Task<Status> submit(const Plan&, const Bindings&, const CancelFlag*, const TapSink*) override { co_return no(); }
  Task<Status> read(const Plan&, int, std::span<std::byte>) override { co_return no(); }
  Task<Result<std::vector<std::byte>>> read_state(int, int64_t, int64_t) override { co_return no(); }
  Task<Status> write_state(int, int64_t, int64_t, std::span<const std::byte>) override { co_return no(); }

 private:
  static std::unexpected<Error> no() { return fail(Code::unsupported, "plan_dump", "computing", "planning", "more"); }
  Caps caps_;
};

Result<GpuInfo> gpu_from(const Json& json) {
  GpuInfo gpu;
  const auto flag = [&](const char* name, bool& out) { out = json.contains(name) && json[name].get<bool>(); };
  const auto number = [&](const char* name, auto& out) {
    if (json.contains(name)) out = json[name].get<std::remove_reference_t<decltype(out)>>();
  };
  flag("software", gpu.software);
  flag("f16", gpu.f16);
  flag("subgroups", gpu.subgroups);
  flag("packed_dot", gpu.packed_dot);
  flag("immediates", gpu.immediates);
  flag("timestamps", gpu.timestamps);
  number("subgroup_min", gpu.subgroup_min);
  number("subgroup_max", gpu.subgroup_max);
  number("max_buffer_bytes", gpu.max_buffer_bytes);
  number("max_binding_bytes", gpu.max_binding_bytes);
  number("max_storage_buffers", gpu.max_storage_buffers);
  number("max_workgroup_bytes", gpu.max_workgroup_bytes);
  number("max_workgroup_invocations", gpu.max_workgroup_invocations);
  number("max_workgroups", gpu.max_workgroups);
  number("offset_alignment", gpu.offset_alignment);
  if (gpu.max_buffer_bytes > 0) return gpu;
  return fail(Code::invalid_argument, "plan_dump", "caps", "those of a GPU", dump_json(OrderedJson(json)));
}

Status dump(const std::string& path, const std::string& caps) {
  WEFT_TRY(const Json json, parse_json(caps, "caps"));
  WEFT_TRY(GpuInfo gpu, gpu_from(json));
  TestHost host;
  LoadOptions options;
  options.device = "webgpu";
  if (json.contains("context")) options.context = json["context"].get<int64_t>();
  if (json.contains("chunk")) options.prefill_chunk = json["chunk"].get<int64_t>();
  const std::string name = json.contains("name") ? json["name"].get<std::string>() : std::string();
  options.make_device = [&](Host&) -> Result<std::unique_ptr<Device>> {
    return std::make_unique<PlannedDevice>(name, gpu);
  };
  WEFT_TRY(const auto model, run(LanguageModel::load(host, path, std::move(options))));
  const std::string text = dump_json(
      OrderedJson{{"decode", to_string(model->decode_plan())}, {"prefill", to_string(model->prefill_plan())}});
  std::puts(text.c_str());
  return {};
}

}  // namespace
}  // namespace weft::test

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: test_plan_dump MODEL CAPS\n", stderr);
    return 2;
  }
  const weft::Status status = weft::test::dump(argv[1], argv[2]);
  if (status) return 0;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  return 1;
}
