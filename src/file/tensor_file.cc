#include "file/tensor_file.h"

#include <algorithm>

#include "file/gguf.h"
#include "file/safetensors.h"
#include "file/sniff.h"

namespace weft {

TensorFile::TensorFile(FileFormat format, Metadata metadata, std::vector<TensorInfo> tensors,
                       std::vector<std::unique_ptr<ByteSource>> sources)
    : format_(format), metadata_(std::move(metadata)), tensors_(std::move(tensors)), sources_(std::move(sources)) {
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const TensorInfo* TensorFile::find(std::string_view name) const {
  auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

uint64_t TensorFile::total_bytes() const {
  uint64_t sum = 0;
  for (const auto& source : sources_) sum += source->size();
  return sum;
}

Task<Result<std::shared_ptr<TensorFile>>> open_tensor_file(Host& host, std::string path) {
  auto opened = host.open(path);
  if (!opened) {
    // Not a file that can be read: a folder, perhaps.
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    if (auto config = host.open(path + "/config.json"))
      co_return co_await open_safetensors_folder(host, path, *std::move(config));
    Error error = std::move(opened).error();
    if (error.code == Code::not_found || error.code == Code::io) {
      error.what = "model";
      error.expected = "a GGUF file, a .safetensors file or a folder with config.json";
      if (error.found.empty()) error.found = "nothing of the kind";
    }
    co_return fail(std::move(error));
  }
  std::unique_ptr<ByteSource> source = *std::move(opened);
  std::vector<std::byte> head(std::min<uint64_t>(source->size(), kSniffBytes));
  WEFT_CO_CHECK_OK(co_await source->read(0, head));
  switch (sniff(head)) {
    case Sniffed::gguf:
      co_return co_await open_gguf(host, std::move(path), std::move(source));
    case Sniffed::safetensors:
      co_return co_await open_safetensors_file(host, std::move(path), std::move(source));
    case Sniffed::other:
      break;
  }
  co_return fail(Code::bad_file, path, "model file", "GGUF or safetensors", describe_bytes(head),
                 "give a .gguf or .safetensors file, or a folder with config.json");
}

}  // namespace weft
