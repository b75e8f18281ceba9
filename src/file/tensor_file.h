// A model file as a checked table: metadata, and for every tensor its type, shape and range of bytes.
//
//   WEFT_CO_TRY(auto file, co_await open_tensor_file(host, "model.gguf"));   // or a folder with config.json
//   const TensorInfo* t = file->find("token_embd.weight");
//   co_await file->source(t->part).read(t->offset, bytes);
//
// Opening checks every count, length, offset, alignment and overlap before anything is allocated or read, so that a
// range taken from the table is always inside its source and as long as type and shape say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/host.h"
#include "base/metadata.h"

namespace weft {

enum class FileFormat { gguf, safetensors };

struct TensorInfo {
  std::string name;  // as in the file
  DType dtype = DType::f32;
  std::vector<int64_t> shape;  // outermost first (PyTorch order); the last dimension is contiguous. 0 to 4 dims
  int part = 0;                // which source
  uint64_t offset = 0;         // in bytes from the beginning of that source
  uint64_t bytes = 0;
};

class TensorFile {
 public:
  TensorFile(FileFormat format, Metadata metadata, std::vector<TensorInfo> tensors,
             std::vector<std::unique_ptr<ByteSource>> sources);

  FileFormat format() const { return format_; }
  const std::string& name() const { return metadata_.source(); }
  const Metadata& metadata() const { return metadata_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in file order
  const TensorInfo* find(std::string_view name) const;                 // nullptr if there is none
  int parts() const { return static_cast<int>(sources_.size()); }
  ByteSource& source(int part) { return *sources_[part]; }
  uint64_t total_bytes() const;  // of all sources
  // tokenizer.json beside a safetensors model, else empty; GGUF keeps its tokenizer in the metadata.
  std::string tokenizer_json;
  std::string tokenizer_config_json;  // likewise

 private:
  FileFormat format_;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::unique_ptr<ByteSource>> sources_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Opens a GGUF file (v2 or v3; given any part of a split one, opens all parts), a .safetensors file, or a folder that
// holds config.json and model.safetensors (or its index and shards). The first bytes decide, never the name.
// Errors: not_found, io, bad_file (truncated, overlapping, misaligned …), unsupported (version, tensor type).
Task<Result<std::shared_ptr<TensorFile>>> open_tensor_file(Host& host, std::string path);

}  // namespace weft
