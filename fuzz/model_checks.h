// What must hold of a model file that opened, whatever its bytes were.
#pragma once

#include "file/ranges.h"
#include "fuzz_host.h"
#include "weights/formats.h"
#include "weights/weights.h"

namespace weft::fuzz {

// A refusal must say something, on one line.
inline void check_error(const Error& error) {
  CHECK(!error.what.empty() && error.code != Code::internal && error.code != Code::ok);
  CHECK(error.message().find('\n') == std::string::npos);
}

// Ranges lie inside their source; weights can be read, reordered and decoded.
inline void check_model(std::shared_ptr<TensorFile> file) {
  for (const TensorInfo& t : file->tensors()) {
    const uint64_t size = file->source(t.part).size();
    CHECK(t.offset <= size && t.bytes <= size - t.offset);
    const auto implied = tensor_bytes(t.dtype, t.shape);
    CHECK(implied && *implied == t.bytes);
    CHECK(file->find(t.name) == &t);
  }
  auto weights = Weights::create(file);
  if (!weights) return check_error(weights.error());
  for (const std::string& name : (*weights)->names()) {
    auto info = (*weights)->find(name);
    if (!info) {
      check_error(info.error());
      continue;
    }
    auto bytes = run((*weights)->read(*info));
    CHECK(bytes.has_value());
    int64_t count = 1;
    for (int64_t n : info->shape) count *= n;
    CHECK(bytes->bytes.size() == static_cast<size_t>(row_bytes(info->dtype, count)));
    if (!can_dequantize(info->dtype) || count == 0) continue;
    std::vector<float> values(static_cast<size_t>(count));
    dequantize(info->dtype, bytes->bytes.data(), values.data(), count);
  }
}

}  // namespace weft::fuzz
