// What commands share: finding and opening the model, printing, reading input.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "cache.h"
#include "command.h"
#include "disk.h"
#include "file/tensor_file.h"
#include "native_host.h"
#include "parallel.h"
#include "text/tokenizer.h"

namespace weft::cli {

std::string_view version() { return WEFT_VERSION; }

int hardware_threads() {
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? static_cast<int>(count) : 1;
}

Result<std::string> Context::model_path() const {
  const std::string& name = common.model;
  if (name == kBuiltinModel) {
    if (has_builtin_model()) return name;
    return fail(Code::not_found, name, "model", "one built into this program", "none", "name a model with -m");
  }
  struct stat status{};
  if (name.empty() || stat(name.c_str(), &status) == 0) return name;
  // "models/x.gguf" has the form of a repository too: what looks like a file stays one.
  const bool file = name.ends_with(".gguf") || name.ends_with(".safetensors") || name.ends_with(".json") ||
                    stat(name.substr(0, name.find('/')).c_str(), &status) == 0;
  if (const auto spec = parse_repo(name); spec && !file) return find_pulled(*spec);
  return name;
}

Result<std::shared_ptr<TensorFile>> Context::open_model() {
  WEFT_TRY(std::string path, model_path());
  return wait(open_tensor_file(host, std::move(path)));
}

Result<std::shared_ptr<const Tokenizer>> Context::open_tokenizer() {
  WEFT_TRY(const std::string path, model_path());
  if (path.ends_with(".json")) {
    WEFT_TRY(const std::string json, read_file(path));
    const std::string config = (std::filesystem::path(path).parent_path() / "tokenizer_config.json").string();
    struct stat status{};
    if (stat(config.c_str(), &status) != 0) return Tokenizer::from_json(json, "", path);
    WEFT_TRY(const std::string config_json, read_file(config));
    return Tokenizer::from_json(json, config_json, path);
  }
  WEFT_TRY(const std::shared_ptr<TensorFile> file, wait(open_tensor_file(host, path)));
  if (!file->tokenizer_json.empty()) {
    return Tokenizer::from_json(file->tokenizer_json, file->tokenizer_config_json, path);
  }
  return Tokenizer::from_metadata(file->metadata());
}

Status Context::print(std::string_view text) const {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return {};
  return fail(system_error("standard output", "write", errno));
}

Status Context::print_json(const OrderedJson& document) const { return print(dump_json(document, 2) + "\n"); }

int usage_error(std::string_view command, std::string_view message) {
  note_error(std::string(command) + ": " + std::string(message) + " (see weft " + std::string(command) + " --help)");
  return kUsage;
}

Result<std::vector<int32_t>> parse_ids(std::string_view text) {
  std::vector<int32_t> ids;
  const auto separates = [](char c) { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  for (size_t at = 0; at < text.size();) {
    if (separates(text[at])) {
      ++at;
      continue;
    }
    int32_t id = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), id);
    const size_t stop = static_cast<size_t>(end - text.data());
    if (error != std::errc{} || id < 0 || (stop < text.size() && !separates(text[stop]))) {
      const size_t word = std::min(text.find_first_of(", \n\r\t", at), text.size());
      return fail(Code::invalid_argument, "--ids", "token id", "a whole number from 0 to 2147483647",
                  std::string(text.substr(at, word - at)), "for example --ids 1,2,3");
    }
    ids.push_back(id);
    at = stop;
  }
  return ids;
}

Result<std::string> read_file(const std::string& path) {
  struct stat status{};
  if (path != "-" && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(Code::io, path, "input", "a file", "a folder");
  }
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (!file) return fail(system_error(path, "cannot be read", errno));
  std::string text;
  char buffer[1 << 16];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  const int error_number = std::ferror(file) ? errno : 0;
  if (file != stdin) std::fclose(file);
  if (error_number) return fail(system_error(path, "read", error_number));
  return text;
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

}  // namespace weft::cli
