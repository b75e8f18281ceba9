#include <algorithm>
#include <cstring>
#include <set>

#include "base/json.h"
#include "file/config_json.h"
#include "file/safetensors.h"
#include "file/sniff.h"

namespace weft {
namespace {

Task<Result<std::string>> read_all(ByteSource& source) {
  if (source.size() > kMaxSideFileBytes)
    co_return fail(Code::limit, source.name(), "size", "at most " + std::to_string(kMaxSideFileBytes) + " bytes",
                   std::to_string(source.size()));
  std::string text(source.size(), '\0');
  WEFT_CO_CHECK_OK(co_await source.read(0, std::as_writable_bytes(std::span(text))));
  co_return text;
}

// Empty where there is no such file.
Task<Result<std::string>> read_optional(Host& host, std::string path) {
  auto source = host.open(path);
  if (!source) {
    if (source.error().code == Code::not_found) co_return std::string();
    co_return fail(std::move(source).error());
  }
  co_return co_await read_all(**source);
}

Task<Result<SafetensorsHeader>> read_header(ByteSource& source) {
  const uint64_t size = source.size();
  uint64_t length = 0;
  if (size < 9)
    co_return fail(Code::bad_file, source.name(), "safetensors header", "at least 9 bytes", std::to_string(size));
  WEFT_CO_CHECK_OK(co_await source.read(0, std::as_writable_bytes(std::span(&length, 1))));
  if (length > kSafetensorsMaxHeaderBytes || length > size - 8) {
    std::vector<std::byte> head(std::min<uint64_t>(size, kSniffBytes));
    WEFT_CO_CHECK_OK(co_await source.read(0, head));
    if (sniff(head) != Sniffed::safetensors)
      co_return fail(Code::bad_file, source.name(), "model file", "safetensors", describe_bytes(head));
    co_return fail(Code::bad_file, source.name(), "truncated: safetensors header",
                   std::to_string(length) + " bytes after the first eight", std::to_string(size - 8));
  }
  std::string json(length, '\0');
  WEFT_CO_CHECK_OK(co_await source.read(8, std::as_writable_bytes(std::span(json))));
  co_return parse_safetensors(json, size, source.name());
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// The tokenizer's files and what they add to the metadata.
Task<Status> add_side_files(Host& host, std::string folder, TensorFile& file, Metadata& metadata) {
  WEFT_CO_TRY(file.tokenizer_json, co_await read_optional(host, folder + "/tokenizer.json"));
  for (const char* name : {"generation_config.json", "tokenizer_config.json"}) {
    WEFT_CO_TRY(std::string text, co_await read_optional(host, folder + "/" + name));
    if (text.empty()) continue;
    WEFT_CO_TRY(const Json json, parse_json(text, folder + "/" + name));
    WEFT_CO_CHECK_OK(add_side_config(json, folder + "/" + name, metadata));
    if (name == std::string_view("tokenizer_config.json")) file.tokenizer_config_json = std::move(text);
  }
  WEFT_CO_TRY(std::string chat_template, co_await read_optional(host, folder + "/chat_template.jinja"));
  if (!chat_template.empty()) metadata.set("tokenizer.chat_template", std::move(chat_template));
  co_return Status{};
}

Task<Result<std::shared_ptr<TensorFile>>> assemble(Host& host, std::string folder, Metadata metadata,
                                                   std::vector<TensorInfo> tensors,
                                                   std::vector<std::unique_ptr<ByteSource>> sources, bool side_files) {
  // Side files are read into a file without metadata first, because TensorFile's metadata is fixed.
  TensorFile sides(FileFormat::safetensors, Metadata(), {}, {});
  if (side_files) WEFT_CO_CHECK_OK(co_await add_side_files(host, std::move(folder), sides, metadata));
  auto file = std::make_shared<TensorFile>(FileFormat::safetensors, std::move(metadata), std::move(tensors),
                                           std::move(sources));
  file->tokenizer_json = std::move(sides.tokenizer_json);
  file->tokenizer_config_json = std::move(sides.tokenizer_config_json);
  co_return file;
}

// File names of the shards in order of name, from model.safetensors.index.json.
struct ShardIndex {
  std::map<std::string, std::string> file_of;  // by tensor
  std::set<std::string> files;
};

Result<ShardIndex> parse_index(std::string_view text, const std::string& name) {
  WEFT_TRY(const Json root, parse_json(text, name));
  const Json* map = json_member(root, "weight_map");
  if (!map || !map->is_object())
    return fail(Code::bad_file, name, "weight_map", "an object", map ? map->type_name() : "nothing");
  ShardIndex index;
  for (auto row = map->begin(); row != map->end(); ++row) {
    if (!row->is_string())
      return fail(Code::bad_file, name, "weight_map '" + row.key() + "'", "a file name", row->type_name());
    const auto& file = row->get_ref<const std::string&>();
    // Shards lie beside their index: a path could reach any file of the machine.
    if (file.empty() || file == "." || file == ".." || file.find_first_of(std::string_view("/\\:\0", 4)) != file.npos)
      return fail(Code::bad_file, name, "weight_map '" + row.key() + "'", "a file name without a path", file);
    index.file_of.emplace(row.key(), file);
    index.files.insert(file);
  }
  if (index.files.empty()) return fail(Code::bad_file, name, "weight_map", "at least one tensor", "none");
  return index;
}

}  // namespace

Task<Result<std::shared_ptr<TensorFile>>> open_safetensors_file(Host& host, std::string path,
                                                                std::unique_ptr<ByteSource> source) {
  WEFT_CO_TRY(SafetensorsHeader header, co_await read_header(*source));
  Metadata metadata(path);
  const std::string folder = folder_of(path);
  WEFT_CO_TRY(const std::string config, co_await read_optional(host, folder + "/config.json"));
  if (!config.empty()) {
    WEFT_CO_TRY(const Json json, parse_json(config, folder + "/config.json"));
    WEFT_CO_TRY(metadata, metadata_from_config(json, folder + "/config.json", path));
  }
  for (auto& [key, value] : header.comment) metadata.set("safetensors." + key, std::move(value));
  std::vector<std::unique_ptr<ByteSource>> sources;
  sources.push_back(std::move(source));
  co_return co_await assemble(host, folder, std::move(metadata), std::move(header.tensors), std::move(sources),
                              !config.empty());
}

Task<Result<std::shared_ptr<TensorFile>>> open_safetensors_folder(Host& host, std::string folder,
                                                                  std::unique_ptr<ByteSource> config) {
  WEFT_CO_TRY(const std::string config_text, co_await read_all(*config));
  WEFT_CO_TRY(const Json config_json, parse_json(config_text, config->name()));
  WEFT_CO_TRY(Metadata metadata, metadata_from_config(config_json, config->name(), folder));

  std::vector<TensorInfo> tensors;
  std::vector<std::unique_ptr<ByteSource>> sources;
  auto single = host.open(folder + "/model.safetensors");
  if (single) {
    sources.push_back(*std::move(single));
    WEFT_CO_TRY(SafetensorsHeader header, co_await read_header(*sources[0]));
    tensors = std::move(header.tensors);
  } else {
    const std::string index_path = folder + "/model.safetensors.index.json";
    auto index_source = host.open(index_path);
    if (!index_source)
      co_return fail(single.error().code, folder, "weights", "model.safetensors or model.safetensors.index.json",
                     "neither");
    WEFT_CO_TRY(const std::string index_text, co_await read_all(**index_source));
    WEFT_CO_TRY(const ShardIndex index, parse_index(index_text, index_path));
    std::map<std::string, std::string, std::less<>> found_in;
    for (const std::string& name : index.files) {
      WEFT_CO_TRY(auto source, host.open(folder + "/" + name));
      WEFT_CO_TRY(SafetensorsHeader header, co_await read_header(*source));
      for (TensorInfo& t : header.tensors) {
        t.part = static_cast<int>(sources.size());
        if (!found_in.emplace(t.name, name).second)
          co_return fail(Code::bad_file, folder + "/" + name, "tensor '" + t.name + "'", "each name once",
                         "a second one, after " + found_in[t.name]);
        tensors.push_back(std::move(t));
      }
      sources.push_back(std::move(source));
    }
    for (const auto& [tensor, file] : index.file_of) {
      auto it = found_in.find(tensor);
      if (it == found_in.end() || it->second != file)
        co_return fail(Code::bad_file, index_path, "tensor '" + tensor + "'", "to be in " + file,
                       it == found_in.end() ? "no such tensor" : "it in " + it->second);
    }
  }
  co_return co_await assemble(host, folder, std::move(metadata), std::move(tensors), std::move(sources), true);
}

}  // namespace weft
