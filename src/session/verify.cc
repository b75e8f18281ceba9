#include "session/verify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "weights/formats.h"

namespace weft {
namespace {

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// Rows of named values as the steps deliver them, put together to [T, …].
class Recorder {
 public:
  explicit Recorder(int64_t rows) : rows_(rows) {}

  void begin(int64_t first, int64_t count) { first_ = first, count_ = count; }

  void record(const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
    if (shape.size() == 4) {
      record_cache(name, shape, values);
    } else if (!shape.empty() && shape[0] == count_) {
      place(name, shape.subspan(1), values);
    }
  }

  const HostTensor* find(const std::string& name) const {
    auto it = recorded_.find(name);
    return it == recorded_.end() ? nullptr : &it->second;
  }

 private:
  // Of a state [N, K, S, D]: what this step wrote, as rows [count, K, D].
  void record_cache(const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
    const int64_t heads = shape[1], cells = shape[2], size = shape[3];
    std::vector<float> rows;
    for (int64_t cell = first_; cell < std::min(first_ + count_, cells); ++cell) {
      for (int64_t k = 0; k < heads; ++k) {
        const auto at = values.begin() + (k * cells + cell) * size;
        rows.insert(rows.end(), at, at + size);
      }
    }
    const int64_t row_shape[] = {heads, size};
    place(name, row_shape, rows);
  }

  void place(const std::string& name, std::span<const int64_t> row_shape, std::span<const float> values) {
    HostTensor& t = recorded_[name];
    const auto row = std::accumulate(row_shape.begin(), row_shape.end(), int64_t{1}, std::multiplies<>());
    if (t.shape.empty()) {
      t.shape = {rows_};
      t.shape.insert(t.shape.end(), row_shape.begin(), row_shape.end());
      t.f32.assign(static_cast<size_t>(rows_ * row), std::nanf(""));  // a row never delivered is a miss
    }
    if ((first_ + count_) * row > static_cast<int64_t>(t.f32.size())) return;
    if (static_cast<int64_t>(values.size()) != count_ * row) return;
    std::copy(values.begin(), values.end(), t.f32.begin() + first_ * row);
  }

  int64_t rows_, first_ = 0, count_ = 0;
  std::map<std::string, HostTensor> recorded_;
};

// False at a miss, which is then described in the report.
bool compare(const std::string& name, const HostTensor& want, const HostTensor& got, const VerifyOptions& options,
             VerifyReport& report) {
  auto miss = [&](std::string detail) {
    report.first_miss = name;
    report.detail = std::move(detail);
    return false;
  };
  ++report.checked;
  if (want.shape != got.shape)
    return miss("shape: expected " + shape_text(want.shape) + ", found " + shape_text(got.shape));
  for (size_t i = 0; i < want.f32.size(); ++i) {
    const double b = want.f32[i], a = got.f32[i], difference = std::abs(a - b);
    ++report.elements;
    if (!(difference <= options.absolute + options.relative * std::abs(b))) {
      const auto row = static_cast<int64_t>(i) / std::max<int64_t>(1, want.elements() / want.shape[0]);
      return miss("element " + std::to_string(i) + " (row " + std::to_string(row) + "): expected " + std::to_string(b) +
                  ", found " + std::to_string(a));
    }
    report.max_abs = std::max(report.max_abs, difference);
    if (std::abs(b) >= 1) report.max_rel = std::max(report.max_rel, difference / std::abs(b));
  }
  return true;
}

bool always_required(std::string_view name) {
  return name == "logits" || name.ends_with(".residual_attn") || name.ends_with(".residual_mlp");
}

HostTensor integers(std::vector<int64_t> shape, std::span<const int32_t> values) {
  return {.shape = std::move(shape), .i32 = {values.begin(), values.end()}, .is_i32 = true};
}

// The index inputs of a step, by port name.
struct StepInputs {
  std::vector<int32_t> ids, cells, rows, slots;
  StepInputs(int64_t first, std::span<const int32_t> tokens)
      : ids(tokens.begin(), tokens.end()), cells(tokens.size()), rows(tokens.size()), slots(tokens.size(), 0) {
    std::iota(cells.begin(), cells.end(), static_cast<int32_t>(first));
    std::iota(rows.begin(), rows.end(), 0);
  }
  const std::vector<int32_t>* find(std::string_view port) const {
    if (port == "ids") return &ids;
    if (port == "positions" || port == "cells") return &cells;
    if (port == "rows") return &rows;
    return port == "slots" ? &slots : nullptr;
  }
};

}  // namespace

Task<Result<ReferenceActivations>> ReferenceActivations::load(TensorFile& file) {
  ReferenceActivations result;
  const TensorInfo* ids = file.find("input_ids");
  if (!ids || ids->shape.size() != 1 || ids->dtype != DType::i32) {
    co_return fail(Code::bad_file, file.name(), "tensor 'input_ids'", "i32 [T]",
                   ids ? shape_text(ids->shape) + " of " + std::string(name(ids->dtype)) : "none");
  }
  result.ids.resize(static_cast<size_t>(ids->shape[0]));
  WEFT_CO_CHECK_OK(co_await file.source(ids->part).read(ids->offset, std::as_writable_bytes(std::span(result.ids))));
  std::vector<const TensorInfo*> order;
  for (const TensorInfo& t : file.tensors()) {
    if (t.name != "input_ids") order.push_back(&t);
  }
  // A reference file is written in execution order.
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (const TensorInfo* t : order) {
    if (t->shape.empty() || t->shape[0] != ids->shape[0] || !can_dequantize(t->dtype)) {
      co_return fail(Code::bad_file, file.name(), "tensor '" + t->name + "'",
                     "floats [" + std::to_string(ids->shape[0]) + ", …]",
                     shape_text(t->shape) + " of " + std::string(name(t->dtype)));
    }
    std::vector<std::byte> bytes(t->bytes);
    WEFT_CO_CHECK_OK(co_await file.source(t->part).read(t->offset, bytes));
    HostTensor tensor{.shape = t->shape};
    tensor.f32.resize(static_cast<size_t>(tensor.elements()));
    dequantize(t->dtype, bytes.data(), tensor.f32.data(), tensor.elements());
    result.activations.emplace_back(t->name, std::move(tensor));
  }
  co_return result;
}

VerifyStep interpreter_step(Interpreter& interpreter, const Graph& graph) {
  return [&](int64_t first, std::span<const int32_t> ids, const TapSink& sink) -> Task<Status> {
    const StepInputs step(first, ids);
    const auto count = static_cast<int64_t>(ids.size());
    std::map<std::string, HostTensor> inputs;
    for (const Port& port : graph.inputs) {
      const auto* values = step.find(port.name);
      if (!values) co_return fail(Code::invalid_argument, graph.name, "input", "a decoder's ports", port.name);
      inputs[port.name] =
          integers(port.name == "positions" ? std::vector<int64_t>{count, 1} : std::vector<int64_t>{count}, *values);
    }
    auto tap = [&](const std::string& name, const HostTensor& t) { sink(name, t.shape, t.f32); };
    WEFT_CO_CHECK_OK(interpreter.run(graph, inputs, tap));
    co_return Status{};
  };
}

VerifyStep device_step(Device& device, const Plan& plan) {
  return [&](int64_t first, std::span<const int32_t> ids, const TapSink& sink) -> Task<Status> {
    const StepInputs step(first, ids);
    Bindings bindings{.symbols = plan.bounds};
    for (const char* symbol : {"T", "R"}) {
      const SymbolId s = plan.graph.symbol(symbol);
      if (s != kNoSymbol) bindings.symbols[s] = static_cast<int64_t>(ids.size());
    }
    for (const Port& port : plan.graph.inputs) {
      const auto* values = step.find(port.name);
      if (!values) co_return fail(Code::invalid_argument, plan.graph.name, "input", "a decoder's ports", port.name);
      bindings.inputs.push_back(std::as_bytes(std::span(*values)));
    }
    co_return co_await device.submit(plan, bindings, nullptr, &sink);
  };
}

Task<Result<VerifyReport>> verify_activations(const ReferenceActivations& reference, int64_t chunk, VerifyStep step,
                                              VerifyOptions options) {
  const auto rows = static_cast<int64_t>(reference.ids.size());
  chunk = std::clamp<int64_t>(chunk, 1, std::max<int64_t>(rows, 1));
  Recorder recorder(rows);
  const TapSink sink = [&](const std::string& name, std::span<const int64_t> shape, std::span<const float> values) {
    recorder.record(name, shape, values);
  };
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t count = std::min(chunk, rows - first);
    recorder.begin(first, count);
    WEFT_CO_CHECK_OK(co_await step(first, std::span(reference.ids).subspan(first, count), sink));
  }

  VerifyReport report;
  for (const auto& [name, want] : reference.activations) {
    // What the caches hold is judged by what went in: rotated keys, plain values.
    std::string written;
    if (name.ends_with(".k_rope")) written = name.substr(0, name.size() - 6) + "k_written";
    if (name.ends_with(".v_proj")) written = name.substr(0, name.size() - 6) + "v_written";
    const HostTensor* got = recorder.find(name);
    if (got ? !compare(name, want, *got, options, report)
            : options.values == VerifyValues::all || always_required(name)) {
      if (!got) report.first_miss = name, report.detail = "the model computes no value of that name";
      break;
    }
    if (written.empty()) continue;
    HostTensor as_rows{.shape = want.shape, .f32 = want.f32};
    if (const HostTensor* cache = recorder.find(written)) {
      if (as_rows.elements() == cache->elements()) as_rows.shape = cache->shape;  // [T, K*D] as [T, K, D]
      if (!compare(written, as_rows, *cache, options, report)) break;
    } else {
      report.first_miss = written, report.detail = "the model writes no cache of that name";
      break;
    }
  }
  co_return report;
}

}  // namespace weft
