// GGUF versions 2 and 3, little-endian, after the published specification (ggml, docs/gguf.md):
//
//   "GGUF" | u32 version | u64 tensors | u64 pairs | pairs… | tensor table… | padding | data section
//   pair:   string key | u32 type | value         string: u64 length | bytes       array: u32 type | u64 count | values
//   tensor: string name | u32 n | u64 dims[n] (innermost first) | u32 type | u64 offset in the data section
//
// Nothing is allocated for a count or a length before the bytes that could hold it are known to be there.
#pragma once

#include <optional>
#include <span>

#include "file/tensor_file.h"

namespace weft {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr uint64_t kGgufDefaultAlignment = 32;
// Real headers are below 32 MB (a vocabulary of 260,000 tokens). The limits bound memory on hostile input.
inline constexpr uint64_t kGgufMaxHeaderBytes = uint64_t{256} << 20;
inline constexpr uint64_t kGgufMaxArrayElements = uint64_t{1} << 24;  // of all arrays together
inline constexpr uint64_t kGgufMaxTensors = uint64_t{1} << 20;        // and pairs
inline constexpr int kGgufMaxDimensions = 4;

// Value types of the metadata, as numbered in the file.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

struct GgufHeader {
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // part 0, offsets from the beginning of the file
};

struct GgufParse {
  std::optional<GgufHeader> header;
  uint64_t need = 0;  // without a header: `window` must hold at least so many bytes
};

// Parses the beginning of a file of `file_size` bytes, of which `window` holds the first.
Result<GgufParse> parse_gguf(std::span<const std::byte> window, uint64_t file_size, const std::string& name);

// Opens the file whose first part is `source` at `path`, and its other parts if it is split.
Task<Result<std::shared_ptr<TensorFile>>> open_gguf(Host& host, std::string path, std::unique_ptr<ByteSource> source);

}  // namespace weft
