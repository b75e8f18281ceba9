// From the common options to a loaded model.
#include "command.h"
#include "gpu/profiles.h"
#include "gpu_cache.h"
#include "session/session.h"

namespace weft::cli {

GpuOptions Context::gpu_options() const {
  GpuOptions options{.adapter = static_cast<int>(common.adapter), .skip_validation = true};
  if (const auto profile = gpu_profile_from_name(common.caps)) options.profile = *profile;
  return options;
}

LoadOptions Context::load_options() const {
  LoadOptions options;
  options.device = common.device;
  options.gpu = gpu_options();
  options.burst = common.burst;
  if (!common.no_tuning) options.tuning = [host = &host](const Caps& caps) { return cached_tuning(*host, caps.gpu); };
  options.threads = static_cast<int>(common.threads);
  options.context = common.context;
  if (!common.kv.empty()) options.kv = *dtype_from_name(common.kv);
  for (const CpuLevel level : {CpuLevel::baseline, CpuLevel::avx2, CpuLevel::avx512_vnni, CpuLevel::neon}) {
    if (cpu_level_name(level) == common.cpu_level) options.cpu_level = level;
  }
  if (common.no_passes) options.disabled_passes = {"*"};
  return options;
}

Result<std::unique_ptr<LanguageModel>> Context::load_model(LoadOptions options) {
  WEFT_TRY(const std::string path, model_path());
  Progress bar("loading " + common.model);
  options.progress = [&](int64_t done, int64_t total) { bar.update(done, total); };
  options.cancel = &interrupt_flag();
  return wait(LanguageModel::load(host, path, std::move(options)));
}

}  // namespace weft::cli
