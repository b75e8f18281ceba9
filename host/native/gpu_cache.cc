#include "gpu_cache.h"

#include <cctype>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/json.h"
#include "ops/gpu_kernel.h"

namespace weft {
namespace {

constexpr int kVersion = 1;
constexpr size_t kMaxBytes = size_t{16} << 20;

// All that could make a figure another: a new driver, a browser's limits.
std::string describe(const GpuInfo& gpu) {
  std::string text = gpu.name + "|" + gpu.vendor + "|" + gpu.backend + "|" + gpu.driver;
  for (bool feature : {gpu.f16, gpu.subgroups, gpu.subgroup_matrix, gpu.packed_dot, gpu.immediates})
    text += feature ? "|1" : "|0";
  for (int64_t number :
       {int64_t{gpu.subgroup_min}, int64_t{gpu.subgroup_max}, gpu.max_binding_bytes, int64_t{gpu.max_storage_buffers},
        int64_t{gpu.max_workgroup_bytes}, int64_t{gpu.max_workgroup_invocations}})
    text += "|" + std::to_string(number);
  for (const GpuInfo::MatrixShape& s : gpu.matrices)
    text += "|" + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) + (s.f32_sum ? "f" : "h");
  return text;
}

std::string hex16(uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

Result<std::string> path_of(const GpuInfo& gpu, std::string_view kind) {
  WEFT_TRY(const std::string cache, cache_folder());
  std::string name;
  for (const char c : gpu.name) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (std::isalnum(u) && name.size() < 40)
      name += static_cast<char>(std::tolower(u));
    else if (!name.empty() && name.back() != '-' && name.size() < 40)
      name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : describe(gpu)) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return cache + "/gpu/" + name + "-" + hex16(hash) + "." + std::string(kind) + ".json";
}

// not_found where there is no file; bad_file where it is not one of ours.
Result<Json> read_json(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (!file) return fail(Code::not_found, path, "opening");
  std::string text;
  char buffer[1 << 16];
  for (size_t n; text.size() <= kMaxBytes && (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
    text.append(buffer, n);
  std::fclose(file);
  WEFT_TRY(Json json, parse_json(text, path));
  const Json* version = json_member(json, "version");
  if (!version || !version->is_number_integer() || *version != kVersion)
    return fail(Code::bad_file, path, "version", std::to_string(kVersion), version ? dump_json(*version) : "none");
  return json;
}

// The document, or nothing; the log says why unless there is simply no file.
std::optional<Json> open_document(Host& host, const GpuInfo& gpu, std::string_view kind) {
  const auto path = path_of(gpu, kind);
  if (!path) return std::nullopt;
  auto json = read_json(*path);
  if (json) return *std::move(json);
  if (json.error().code != Code::not_found) host.log(LogLevel::warning, "ignored: " + json.error().message());
  return std::nullopt;
}

Result<std::string> write_document(const GpuInfo& gpu, std::string_view kind, OrderedJson document) {
  WEFT_TRY(const std::string path, path_of(gpu, kind));
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return fail(Code::io, path, "making its folder", {}, error.message(), "set WEFT_CACHE to another folder");
  OrderedJson whole = {{"version", kVersion}, {"adapter", gpu.name}, {"driver", gpu.driver}};
  whole.update(document);
  const std::string text = dump_json(whole, 1) + "\n";
  WEFT_TRY(const auto file, create_file(path));
  WEFT_CHECK_OK(file->write(std::as_bytes(std::span(text))));
  WEFT_CHECK_OK(file->commit());
  return path;
}

constexpr std::pair<const char*, double GpuMeasures::*> kMeasures[] = {
    {"read_bandwidth", &GpuMeasures::read_bandwidth},
    {"dispatch", &GpuMeasures::dispatch},
    {"read_back", &GpuMeasures::read_back},
    {"probe_steps", &GpuMeasures::probe_steps},
};

}  // namespace

std::optional<GpuMeasures> cached_measures(Host& host, const GpuInfo& gpu) {
  const auto document = open_document(host, gpu, "measures");
  if (!document) return std::nullopt;
  GpuMeasures measures;
  for (const auto& [name, member] : kMeasures) {
    const Json* value = json_member(*document, name);
    const double number = value && value->is_number() ? value->get<double>() : 0;
    if (!(number > 0) || !std::isfinite(number)) {
      host.log(LogLevel::warning, "ignored: the measures of " + gpu.name + " have no '" + name + "'");
      return std::nullopt;
    }
    measures.*member = number;
  }
  return measures;
}

Status keep_measures(const GpuInfo& gpu, const GpuMeasures& measures) {
  OrderedJson document = OrderedJson::object();
  for (const auto& [name, member] : kMeasures) document[name] = measures.*member;
  WEFT_TRY(const std::string path, write_document(gpu, "measures", std::move(document)));
  (void)path;
  return {};
}

std::shared_ptr<const Tuning> cached_tuning(Host& host, const GpuInfo& gpu) {
  const auto document = open_document(host, gpu, "tuning");
  if (!document) return nullptr;
  const Json* kernels = json_member(*document, "kernels");
  if (!kernels || *kernels != hex16(gpu_kernels_fingerprint())) {
    host.log(LogLevel::warning,
             "ignored: the tuning of " + gpu.name + " is of other kernels than this program's; run weft tune again");
    return nullptr;
  }
  auto tuning = std::make_shared<Tuning>();
  const Json* choices = json_member(*document, "choices");
  bool good = choices && choices->is_object();
  if (good) {
    for (const auto& [key, choice] : choices->items()) {
      const Json *kernel = json_member(choice, "kernel"), *variant = json_member(choice, "variant");
      good = good && kernel && kernel->is_string() && variant && variant->is_number_unsigned() &&
             variant->get<uint64_t>() < 1000;
      if (!good) break;
      tuning->choices[key] = {kernel->get<std::string>(), variant->get<int>()};
    }
  }
  if (good) return tuning;
  host.log(LogLevel::warning, "ignored: the tuning of " + gpu.name + " is damaged; run weft tune again");
  return nullptr;
}

Result<std::string> keep_tuning(Host& host, const GpuInfo& gpu, const Tuning& tuning) {
  const auto before = cached_tuning(host, gpu);
  Tuning all = before ? *before : Tuning{};
  for (const auto& [key, choice] : tuning.choices) all.choices[key] = choice;
  OrderedJson choices = OrderedJson::object();
  for (const auto& [key, choice] : all.choices) choices[key] = {{"kernel", choice.kernel}, {"variant", choice.variant}};
  return write_document(gpu, "tuning",
                        {{"kernels", hex16(gpu_kernels_fingerprint())}, {"choices", std::move(choices)}});
}

}  // namespace weft
