// safetensors, after the published description (huggingface/safetensors): u64 length of the header | JSON | data. The
// JSON object gives each tensor {"dtype", "shape", "data_offsets": [begin, end]} relative to the data; tensors cover
// the data without holes or overlap; "__metadata__" maps strings to strings.
//
// A folder holds config.json and either model.safetensors or model.safetensors.index.json with its shards;
// config.json becomes metadata (config_json.h).
#pragma once

#include "file/tensor_file.h"

namespace weft {

inline constexpr uint64_t kSafetensorsMaxHeaderBytes = 100'000'000;  // of the reference implementation
inline constexpr uint64_t kMaxSideFileBytes = uint64_t{256} << 20;   // config.json, tokenizer.json, the index …

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;                           // by offset; part 0, offsets from the file's beginning
  std::vector<std::pair<std::string, std::string>> comment;  // "__metadata__"
};

// `json` is the header's text, which follows the eight bytes of its length; `file_size` is the whole file's.
Result<SafetensorsHeader> parse_safetensors(std::string_view json, uint64_t file_size, const std::string& name);

// A single file. config.json and the tokenizer files beside it are used where they exist; without config.json the
// metadata has only the comments of the header, as "safetensors.<key>".
Task<Result<std::shared_ptr<TensorFile>>> open_safetensors_file(Host& host, std::string path,
                                                                std::unique_ptr<ByteSource> source);
Task<Result<std::shared_ptr<TensorFile>>> open_safetensors_folder(Host& host, std::string folder,
                                                                  std::unique_ptr<ByteSource> config);

}  // namespace weft
