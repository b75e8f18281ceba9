// Element types. A block type stores `block` consecutive elements of a row in `bytes` bytes; scalar types have
// block 1. Rows (the last dimension) are always whole blocks. Layouts of the block types: docs/file-formats.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weft {

enum class DType : uint8_t {
  f32,
  f16,
  bf16,
  i32,
  u32,
  i8,
  u8,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  // Activations quantised by block of 32 values. A row of K values is i8[K], f32 scale[K / 32], i32 negsum[K / 32]:
  // minus the sum of the block's integers, which corrects for weights stored with an offset.
  i8_32,
};
inline constexpr int kDTypeCount = static_cast<int>(DType::i8_32) + 1;

struct DTypeInfo {
  std::string_view name;  // "f32", "q4_k"
  int block;              // elements in a block
  int bytes;              // bytes of a block
  int ggml_type;          // number in a GGUF tensor table, -1 if it has none
};

const DTypeInfo& info(DType dtype);
inline std::string_view name(DType dtype) { return info(dtype).name; }
inline bool is_block(DType dtype) { return info(dtype).block > 1; }
// Bytes of a row of `elements`, which must be a multiple of the block.
inline int64_t row_bytes(DType dtype, int64_t elements) { return elements / info(dtype).block * info(dtype).bytes; }
std::optional<DType> dtype_from_name(std::string_view name);  // any letter case
std::optional<DType> dtype_from_ggml(uint32_t type);

}  // namespace weft
