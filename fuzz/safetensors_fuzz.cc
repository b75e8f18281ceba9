// safetensors: the input is up to six files of a folder, divided by the line "\n@@\n": config.json, model.safetensors,
// the index, a shard, tokenizer_config.json, generation_config.json. Headers may say "=" for their length, which a
// mutation of the JSON would nearly always make wrong: it is then filled in.
#include "model_checks.h"

using namespace weft;

namespace {

std::string with_length(std::string_view text) {
  if (!text.starts_with('=')) return std::string(text);
  const size_t end = text.rfind('}');
  const uint64_t length = end == text.npos ? 0 : end;
  return std::string(reinterpret_cast<const char*>(&length), 8).append(text.substr(1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr const char* kNames[] = {"d/config.json",       "d/model.safetensors",     "d/model.safetensors.index.json",
                                    "d/shard.safetensors", "d/tokenizer_config.json", "d/generation_config.json"};
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::map<std::string, std::string> texts;
  for (const char* name : kNames) {
    const size_t end = rest.find("\n@@\n");
    const std::string_view piece = rest.substr(0, end);
    if (!piece.empty()) texts[name] = with_length(piece);
    if (end == rest.npos) break;
    rest.remove_prefix(end + 4);
  }
  for (const char* path : {"d", "d/model.safetensors"}) {
    fuzz::PieceHost host;
    host.map = size % 2 == 0;
    for (const auto& [name, text] : texts) host.files[name] = std::as_bytes(std::span(text));
    auto file = fuzz::run(open_tensor_file(host, path));
    if (file)
      fuzz::check_model(*file);
    else
      fuzz::check_error(file.error());
  }
  return 0;
}
