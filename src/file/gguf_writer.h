// Writes a GGUF file (version 3, alignment 32) to a sink without ever holding the model: first the metadata and the
// table of tensors, then the bytes of each tensor in the order of the table. The same input gives the same bytes.
//
//   GgufWriter writer(sink);
//   WEFT_CHECK_OK(writer.set("general.architecture", std::string("llama")));
//   WEFT_CHECK_OK(writer.add_tensor("token_embd.weight", DType::q8_0, {32000, 2048}));   // PyTorch order
//   WEFT_CHECK_OK(writer.begin());
//   WEFT_CHECK_OK(writer.write(rows));   // in pieces of any size, tensor after tensor; padding is added here
//   WEFT_CHECK_OK(writer.end());         // the file is there, whole
//
// Number types follow from values, so that other tools read them: integers are u32, below zero i32, beyond 32 bits u64
// or i64; arrays of integers i32 where they fit (else u32, i64); floats are f32 where that loses nothing, else f64.
#pragma once

#include "base/dtype.h"
#include "base/metadata.h"
#include "file/byte_sink.h"

namespace weft {

class GgufWriter {
 public:
  explicit GgufWriter(ByteSink& sink) : sink_(sink), metadata_(sink.name()) {}

  // invalid_argument for a key or name of 0 or more than 65535 bytes, a second tensor of the name, a shape whose rows
  // are no whole blocks, more than 4 dimensions, or a dtype that GGUF does not number.
  Status set(std::string key, MetaValue value);  // replaces
  Status set_all(const Metadata& metadata);      // except general.alignment, which is the writer's own
  Status add_tensor(std::string name, DType dtype, std::vector<int64_t> shape);
  // Bytes of the whole file, known before anything is written. For progress and free-space checks.
  uint64_t file_bytes() const;
  Status begin();
  // Appends to the current tensor, or begins the next; a piece may span several tensors.
  Status write(std::span<const std::byte> bytes);
  // Commits the sink; invalid_argument, and no commit, if bytes are missing.
  Status end();

 private:
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t offset, bytes;
  };
  std::string header() const;
  Status pad(uint64_t bytes);

  ByteSink& sink_;
  Metadata metadata_;
  std::vector<Tensor> tensors_;
  uint64_t data_bytes_ = 0;  // with padding
  size_t current_ = 0;
  uint64_t written_ = 0;  // of the current tensor
  bool begun_ = false;
};

}  // namespace weft
