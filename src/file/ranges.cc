#include "file/ranges.h"

#include <numeric>
#include <tuple>

#include "base/compact_sort.h"

namespace weft {

std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape) {
  constexpr uint64_t kLimit = uint64_t{1} << 62;
  uint64_t elements = 1;
  for (int64_t dimension : shape) {
    auto product = checked_multiply(elements, static_cast<uint64_t>(dimension));
    if (!product || *product >= kLimit) return std::nullopt;
    elements = *product;
  }
  const DTypeInfo& type = info(dtype);
  auto bytes = checked_multiply(elements / type.block, type.bytes);
  if (!bytes || *bytes >= kLimit) return std::nullopt;
  return bytes;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Status check_no_overlap(const std::vector<TensorInfo>& tensors, const std::string& file) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  compact_sort(order, [&](size_t a, size_t b) {
    const TensorInfo &x = tensors[a], &y = tensors[b];
    return std::tie(x.part, x.offset, x.bytes) < std::tie(y.part, y.offset, y.bytes);
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo &before = tensors[order[i - 1]], &after = tensors[order[i]];
    if (before.part != after.part || before.offset + before.bytes <= after.offset) continue;
    return fail(Code::bad_file, file, "tensors '" + before.name + "' and '" + after.name + "'", "separate bytes",
                "an overlap at byte " + std::to_string(after.offset));
  }
  return {};
}

}  // namespace weft
