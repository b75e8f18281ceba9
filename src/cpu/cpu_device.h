// The device that every machine has.
//
//   WEFT_TRY(auto device, make_cpu_device(host, 0));
//   co_await device->load(model, reader, progress, &cancel);
//   co_await device->create_states(model, {{"N", 1}, {"S", 4096}});
//   co_await device->prepare(plan);
//   co_await device->submit(plan, {inputs, symbols}, &cancel, nullptr);
//   co_await device->read(plan, 0, logits);
#pragma once

#include <memory>
#include <optional>

#include "plan/device.h"

namespace weft {

// threads: 0 for one a core; at most 256. level: an instruction set below the best, for comparisons and tests;
// `unsupported` if this processor does not run it (see ops/cpu_level.h). invalid_argument for a bad number of threads.
// The host must outlive the device.
Result<std::unique_ptr<Device>> make_cpu_device(Host& host, int threads, std::optional<CpuLevel> level = std::nullopt);

}  // namespace weft
