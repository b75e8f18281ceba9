// The weights of a model under their Hugging Face names, whatever file they came from. Renames (GGUF), row orders (rope
// pairs of llama-family GGUFs) and folded constants (gemma's 1 + w) are undone or done here, while reading.
//
//   WEFT_TRY(auto weights, Weights::create(file));
//   WEFT_TRY(auto info, weights->find("model.layers.0.self_attn.q_proj.weight"));
//   co_await weights->read_rows(info, 512, [&](int64_t row, std::span<const std::byte> rows) { … });
#pragma once

#include <functional>
#include <map>

#include "file/tensor_file.h"

namespace weft {

struct WeightInfo {
  std::string name;            // Hugging Face name
  DType dtype = DType::f32;    // of the bytes that reading gives: f32 with add_one, else the file's
  std::vector<int64_t> shape;  // [N, K] for a linear layer, [C] for a norm
  const TensorInfo* tensor = nullptr;
  enum class Transform : uint8_t { none, interleaved_to_half_rope, add_one } transform = Transform::none;
  int64_t head_dim = 0;  // rows of a head, for the rope order
};

// Bytes of a whole weight: a view of the mapped file where nothing had to change, else memory of its own.
struct WeightBytes {
  std::span<const std::byte> bytes;
  std::vector<std::byte> owned;  // empty when `bytes` looks into the mapped file; move, do not copy
};

class Weights {
 public:
  // Chooses the naming table by `general.architecture` (GGUF) or takes names as they are (safetensors, without the
  // prefix of models that also see images). A safetensors lm_head that the configuration ties to the embedding is
  // left out, so that has("lm_head.weight") tells in both cases. bad_file if two tensors end up with one name.
  static Result<std::shared_ptr<Weights>> create(std::shared_ptr<TensorFile> file);

  TensorFile& file() const { return *file_; }
  const Metadata& metadata() const { return file_->metadata(); }
  bool has(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }  // Hugging Face names in file order
  // missing_tensor, naming both the Hugging Face name and the file's own, if it is not there; wrong_shape where rows
  // in rope order are no whole heads.
  Result<WeightInfo> find(std::string_view name) const;
  // Calls `sink` for consecutive chunks of whole rows, at most about `chunk_bytes` each (a multiple of head_dim rows
  // where rows are reordered; at least one row or head). A 1-D weight is one row. The bytes are aligned to their
  // scalars and valid during the call only; mapped pages of a chunk may leave memory after it. The sink's error ends
  // the reading and is returned.
  Task<Status> read_rows(const WeightInfo& weight, int64_t chunk_bytes,
                         std::function<Status(int64_t first_row, std::span<const std::byte> rows)> sink);
  Task<Result<WeightBytes>> read(const WeightInfo& weight);
  // The file's pages of this weight may leave memory (it has been converted).
  void release(const WeightInfo& weight);

 private:
  explicit Weights(std::shared_ptr<TensorFile> file) : file_(std::move(file)) {}
  Status index();
  Result<int64_t> head_dim() const;  // of q and k, from the metadata

  std::shared_ptr<TensorFile> file_;
  std::string architecture_;
  std::vector<std::string> names_;
  std::map<std::string, const TensorInfo*, std::less<>> tensors_;  // by Hugging Face name
};

}  // namespace weft
