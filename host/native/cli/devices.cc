// weft devices: the processor and the GPUs of this machine, what they can do and how fast.
#include "devices.h"

#include "bandwidth.h"
#include "command.h"
#include "cpu/cpu_device.h"
#include "gpu/self_test.h"
#include "gpu_cache.h"

namespace weft::cli {
namespace {

constexpr int64_t kCpuBytes = int64_t{256} << 20;

struct Options {
  bool measure = false;
};

struct Found {
  GpuInfo info;
  std::vector<FeatureTest> tests;
  double test_seconds = 0;
  std::optional<GpuMeasures> measures;
  bool cached = false;
};

std::string features_of(const GpuInfo& info) {
  std::string text;
  const auto add = [&](bool has, const std::string& name) {
    if (has) text += (text.empty() ? "" : ", ") + name;
  };
  add(info.f16, "f16");
  add(info.subgroups, info.subgroup_min == info.subgroup_max
                          ? format("subgroups of %u", info.subgroup_max)
                          : format("subgroups of %u to %u", info.subgroup_min, info.subgroup_max));
  add(info.packed_dot, "packed dot");
  for (const GpuInfo::MatrixShape& s : info.matrices)
    add(true, format("matrices %ux%ux%u %s", s.m, s.n, s.k, s.f32_sum ? "f32" : "f16"));
  add(info.immediates, "immediates");
  add(info.timestamps, "timestamps");
  return text.empty() ? "none beyond WebGPU's least" : text;
}

OrderedJson features_json(const GpuInfo& info) {
  OrderedJson matrices = OrderedJson::array();
  for (const GpuInfo::MatrixShape& s : info.matrices)
    matrices.push_back({{"m", s.m}, {"n", s.n}, {"k", s.k}, {"sum", s.f32_sum ? "f32" : "f16"}});
  return {{"f16", info.f16},
          {"subgroups", info.subgroups},
          {"subgroup_size", {info.subgroup_min, info.subgroup_max}},
          {"packed_dot", info.packed_dot},
          {"subgroup_matrix", info.subgroup_matrix},
          {"matrices", std::move(matrices)},
          {"immediates", info.immediates},
          {"timestamps", info.timestamps}};
}

OrderedJson limits_json(const GpuInfo& info) {
  return {{"buffer_bytes", info.max_buffer_bytes},
          {"binding_bytes", info.max_binding_bytes},
          {"storage_buffers", info.max_storage_buffers},
          {"workgroup_bytes", info.max_workgroup_bytes},
          {"workgroup_invocations", info.max_workgroup_invocations},
          {"workgroups", info.max_workgroups},
          {"offset_alignment", info.offset_alignment}};
}

std::string text_of(int number, const Found& found) {
  const GpuInfo& info = found.info;
  const auto line = [](const std::string& label, const std::string& text) {
    return styled(stdout, Style::dim, format("%-10s", label.c_str())) + text + "\n";
  };
  std::string text =
      styled(stdout, Style::bold, format("gpu %-6d", number) + info.name) + (info.software ? " (software)" : "") + "\n";
  text += line("driver", info.backend + ", " + info.driver);
  text += line("features", features_of(info));
  text += line("limits", format("buffers of %s, bindings of %s, %u in a kernel; workgroups of %u with %u bytes",
                                human_bytes(static_cast<double>(info.max_buffer_bytes)).c_str(),
                                human_bytes(static_cast<double>(info.max_binding_bytes)).c_str(),
                                info.max_storage_buffers, info.max_workgroup_invocations, info.max_workgroup_bytes));
  std::string failed;
  for (const FeatureTest& test : found.tests) {
    if (!test.passed) failed += (failed.empty() ? "" : "; ") + test.feature + ": " + test.found;
  }
  text += line("self-test", failed.empty()
                                ? format("%zu features pass in %.0f ms", found.tests.size(), found.test_seconds * 1e3)
                                : styled(stdout, Style::red, "off: " + failed));
  if (found.measures) {
    const GpuMeasures& m = *found.measures;
    text += line("measured", format("reads %.4g GB/s, %.3g us a dispatch, %.3g us to read back, %.4g probe steps/s%s",
                                    m.read_bandwidth / 1e9, m.dispatch * 1e6, m.read_back * 1e6, m.probe_steps,
                                    found.cached ? " (before; --measure: again)" : ""));
  }
  return text;
}

OrderedJson json_of(int number, const Found& found) {
  const GpuInfo& info = found.info;
  OrderedJson tests = OrderedJson::array();
  for (const FeatureTest& test : found.tests)
    tests.push_back({{"feature", test.feature}, {"passed", test.passed}, {"found", test.found}});
  return {{"adapter", number},
          {"name", info.name},
          {"vendor", info.vendor},
          {"architecture", info.architecture},
          {"backend", info.backend},
          {"driver", info.driver},
          {"software", info.software},
          {"features", features_json(info)},
          {"limits", limits_json(info)},
          {"self_test", std::move(tests)},
          {"self_test_ms", found.test_seconds * 1e3},
          {"measures", found.measures ? measures_json(*found.measures) : OrderedJson()}};
}

Result<Found> look_at(Context& context, int adapter, bool measure) {
  GpuOptions options = context.gpu_options();
  options.adapter = adapter;
  Found found;
  WEFT_TRY(const std::unique_ptr<Gpu> gpu, context.wait(open_gpu(context.host, options)));
  found.info = gpu->info();
  const double begin = seconds_now();
  WEFT_TRY(found.tests, context.wait(test_features(*gpu)));
  found.test_seconds = seconds_now() - begin;
  WEFT_TRY(found.measures, measures_of(context, *gpu, measure, &found.cached));
  return found;
}

Outcome devices(Context& context, const Options& o) {
  WEFT_TRY(const auto cpu, make_cpu_device(context.host, 0, std::nullopt));
  const Caps& caps = cpu->caps();
  const double bandwidth = measure_read_bandwidth(context.host, caps.threads, kCpuBytes);
  OrderedJson document = {{"cpu", {{"name", caps.name}, {"threads", caps.threads}, {"read_bandwidth", bandwidth}}},
                          {"adapters", OrderedJson::array()}};
  if (!context.common.json) {
    WEFT_CHECK_OK(context.print(styled(stdout, Style::bold, "cpu       " + caps.name) + "\n" +
                                styled(stdout, Style::dim, "measured  ") +
                                format("reads %.4g GB/s\n", bandwidth / 1e9)));
  }
  Status status;
  auto adapters = context.wait(gpu_adapters(context.host));
  if (!adapters) status = std::unexpected(adapters.error());
  for (size_t i = 0; adapters && i < adapters->size(); ++i) {
    auto found = look_at(context, static_cast<int>(i), o.measure);
    if (!found) {  // a GPU that cannot be opened does not hide the others
      status = std::unexpected(found.error());
      continue;
    }
    if (context.common.json)
      document["adapters"].push_back(json_of(static_cast<int>(i), *found));
    else
      WEFT_CHECK_OK(context.print(text_of(static_cast<int>(i), *found)));
  }
  if (context.common.json) WEFT_CHECK_OK(context.print_json(document));
  if (!status) return fail(std::move(status).error());
  return kOk;
}

}  // namespace

Result<GpuMeasures> measures_of(Context& context, Gpu& gpu, bool again, bool* cached) {
  if (!again) {
    if (auto known = cached_measures(context.host, gpu.info())) {
      if (cached) *cached = true;
      return *known;
    }
  }
  WEFT_TRY(const GpuMeasures measured, context.wait(measure_gpu(context.host, gpu)));
  if (Status kept = keep_measures(gpu.info(), measured); !kept)
    context.host.log(LogLevel::warning, "measured, but not kept: " + kept.error().message());
  return measured;
}

OrderedJson measures_json(const GpuMeasures& m) {
  return {{"read_bandwidth", m.read_bandwidth},
          {"dispatch_us", m.dispatch * 1e6},
          {"read_back_us", m.read_back * 1e6},
          {"probe_dispatches", kProbeDispatches},
          {"probe_steps", m.probe_steps}};
}

Command devices_command() {
  auto o = std::make_shared<Options>();
  return {
      "devices",
      "List the processor and the GPUs: features, limits, self-test, speed",
      "  weft devices\n"
      "  weft devices --measure --json\n"
      "  weft devices --caps chrome\n"
      "Figures of a GPU are measured once and kept for its driver: bytes read a second, time of a small dispatch that\n"
      "waits for the one before, time from a submit to the answer, and steps a second of 152 plain matrix-vector\n"
      "products in signed bytes, of the shapes of a 135M model. Fails when there is no GPU.\n",
      kJson | kGpu,
      [o](Args& args) { args.flag("--measure", o->measure, "measure again"); },
      [o](Context& context) { return devices(context, *o); }};
}

}  // namespace weft::cli
