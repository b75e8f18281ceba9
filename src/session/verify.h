// Compares a model's named values with reference activations (docs/file-formats.md says how they are stored), in
// execution order, stopping at the first miss. The golden tests and `weft verify` are this code.
//
//   WEFT_CO_TRY(auto file, co_await open_tensor_file(host, "acts.safetensors"));
//   WEFT_CO_TRY(auto reference, co_await ReferenceActivations::load(*file));
//   WEFT_CO_TRY(auto report, co_await verify_activations(reference, reference.ids.size(), device_step(device, plan),
//                                                        {.values = VerifyValues::all}));
//   if (!report.first_miss.empty()) …
#pragma once

#include "file/tensor_file.h"
#include "graph/interpreter.h"
#include "plan/device.h"

namespace weft {

struct ReferenceActivations {
  std::vector<int32_t> ids;                                     // [T], the tensor "input_ids"
  std::vector<std::pair<std::string, HostTensor>> activations;  // [T, …] each, in execution order

  // bad_file where the ids are missing or an activation has not one row an id.
  static Task<Result<ReferenceActivations>> load(TensorFile& file);
};

enum class VerifyValues : uint8_t {
  all,   // passes off: every activation of the reference must have been computed
  kept,  // passes on: those that are still named, and at least residual_attn, residual_mlp, cache writes and logits
};

struct VerifyOptions {
  VerifyValues values = VerifyValues::all;
  // A miss: |a - b| > absolute + relative * |b|, or a NaN or infinity.
  double absolute = 1e-3, relative = 1e-3;
};

struct VerifyReport {
  int64_t checked = 0;     // named values compared, the contents of the caches included
  int64_t elements = 0;    // numbers compared
  std::string first_miss;  // name of the first that differs or is missing; empty: none
  std::string detail;      // of the miss: where, expected, found
  double max_abs = 0;      // over everything compared
  double max_rel = 0;      // |a - b| / |b| over elements with |b| >= 1
};

// Computes rows [first, first + ids.size()) of one sequence: slot 0, cell and position equal to the row, logits of
// every row. Calls `sink` for every named value.
using VerifyStep = std::function<Task<Status>(int64_t first, std::span<const int32_t> ids, const TapSink& sink)>;
// `interpreter` (its states reset) and `graph`, or `device` (weights loaded, states created) and `plan` (prepared),
// must outlive the step. The graph is a "decode".
VerifyStep interpreter_step(Interpreter& interpreter, const Graph& graph);
VerifyStep device_step(Device& device, const Plan& plan);

// Runs the reference's ids, `chunk` rows a step, and compares.
Task<Result<VerifyReport>> verify_activations(const ReferenceActivations& reference, int64_t chunk, VerifyStep step,
                                              VerifyOptions options);

}  // namespace weft
