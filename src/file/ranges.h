// Arithmetic on sizes that a file states: every product and sum is checked before it is believed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "file/tensor_file.h"

namespace weft {

inline std::optional<uint64_t> checked_multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// A multiple of `alignment` (a power of two) not below `value`; nullopt if that is beyond 2^64.
inline std::optional<uint64_t> align_up(uint64_t value, uint64_t alignment) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(value, alignment - 1, &sum)) return std::nullopt;
  return sum & ~(alignment - 1);
}

// Bytes of a tensor, or nullopt when the product overflows 2^62 (no file is that long, and int64_t arithmetic on
// what passes is then safe everywhere). The last dimension must be whole blocks already.
std::optional<uint64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape);

std::string shape_text(std::span<const int64_t> shape);  // "[32000, 2048]"

// Fails when two tensors of the same part share a byte. Order is free.
Status check_no_overlap(const std::vector<TensorInfo>& tensors, const std::string& file);

}  // namespace weft
