#include "cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 96 || text.front() == '.' || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; });
}

// "x-00001-of-00003.gguf" gives the part after "x"; empty for a file that is not split.
std::string split_suffix(const std::string& path) {
  constexpr size_t kLength = std::string_view("-00001-of-00003.gguf").size();
  if (path.size() < kLength) return {};
  const std::string suffix = path.substr(path.size() - kLength);
  return suffix[0] == '-' && suffix.substr(6, 4) == "-of-" ? suffix : std::string();
}

// Whether a file name carries the number format: "model-Q4_K_M.gguf" does for "q4_k_m" but not for "q4_k".
bool has_format(const std::string& path, const std::string& format) {
  const std::string name = lower(fs::path(path).filename().string());
  for (size_t at = name.find(format); at != std::string::npos; at = name.find(format, at + 1)) {
    const auto edge = [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '_'; };
    const size_t end = at + format.size();
    if ((at == 0 || edge(name[at - 1])) && (end == name.size() || edge(name[end]))) return true;
  }
  return false;
}

std::string list_some(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < 6; ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > 6) text += " and " + std::to_string(names.size() - 6) + " more";
  return text.empty() ? "no model files" : text;
}

}  // namespace

std::optional<RepoSpec> parse_repo(std::string_view text) {
  if (text.starts_with("hf:")) text.remove_prefix(3);
  RepoSpec spec;
  if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    spec.selector = text.substr(colon + 1);
    if (spec.selector.empty()) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    spec.revision = text.substr(at + 1);
    text = text.substr(0, at);
  }
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  spec.owner = text.substr(0, slash), spec.repo = text.substr(slash + 1);
  if (!is_name(spec.owner) || !is_name(spec.repo) || !is_name(spec.revision)) return std::nullopt;
  return spec;
}

std::string to_string(const RepoSpec& spec) {
  return spec.owner + "/" + spec.repo + (spec.revision == "main" ? "" : "@" + spec.revision) +
         (spec.selector.empty() ? "" : ":" + spec.selector);
}

Result<std::string> repo_folder(const RepoSpec& spec) {
  WEFT_TRY(const std::string cache, cache_folder());
  return cache + "/" + spec.owner + "/" + spec.repo + (spec.revision == "main" ? "" : "@" + spec.revision);
}

Result<std::vector<std::string>> choose_files(const RepoSpec& spec, const std::vector<std::string>& listing) {
  std::vector<std::string> gguf, tensors;
  for (const std::string& path : listing) {
    const std::string name = lower(path);
    // Projectors of vision models and importance matrices are GGUF files too, but no language models.
    const bool other = name.find("mmproj") != std::string::npos || name.find("imatrix") != std::string::npos;
    if (name.ends_with(".gguf") && !other) gguf.push_back(path);
    if (name.ends_with(".safetensors") && path.find('/') == std::string::npos) tensors.push_back(path);
  }
  std::sort(gguf.begin(), gguf.end());
  const auto with_parts = [&](const std::string& first) {
    const std::string suffix = split_suffix(first);
    if (suffix.empty()) return std::vector<std::string>{first};
    std::vector<std::string> parts;
    for (const std::string& path : gguf) {
      const std::string other = split_suffix(path);
      if (other.size() == suffix.size() && path.size() == first.size() &&
          path.substr(0, path.size() - suffix.size()) == first.substr(0, first.size() - suffix.size()) &&
          other.substr(6) == suffix.substr(6)) {
        parts.push_back(path);
      }
    }
    return parts;
  };
  if (!spec.selector.empty()) {
    if (std::find(listing.begin(), listing.end(), spec.selector) != listing.end()) {
      return spec.selector.ends_with(".gguf") ? with_parts(spec.selector) : std::vector<std::string>{spec.selector};
    }
    for (const std::string& path : gguf) {
      if (has_format(path, lower(spec.selector))) return with_parts(path);
    }
    return fail(Code::not_found, to_string(spec), "file or number format", spec.selector, list_some(listing),
                "see the files on the repository's page");
  }
  for (const char* format : {"q8_0", "q4_k_m", "q4_0", "f16", "bf16"}) {
    for (const std::string& path : gguf) {
      if (has_format(path, format)) return with_parts(path);
    }
  }
  if (!gguf.empty()) return with_parts(gguf.front());
  if (tensors.empty()) {
    return fail(Code::not_found, to_string(spec), "model", "a .gguf or .safetensors file", list_some(listing));
  }
  std::vector<std::string> files;
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "chat_template.jinja", "model.safetensors.index.json"}) {
    if (std::find(listing.begin(), listing.end(), name) != listing.end()) files.push_back(name);
  }
  // Some repositories hold the weights twice, sharded and whole ("consolidated"): only the standard names count.
  std::vector<std::string> standard;
  std::copy_if(tensors.begin(), tensors.end(), std::back_inserter(standard),
               [](const std::string& path) { return path.starts_with("model"); });
  files.insert(files.end(), standard.empty() ? tensors.begin() : standard.begin(),
               standard.empty() ? tensors.end() : standard.end());
  return files;
}

Result<std::string> find_pulled(const RepoSpec& spec) {
  WEFT_TRY(const std::string folder, repo_folder(spec));
  const auto missing = [&] {
    return fail(Code::not_found, to_string(spec), "model", "a file, a folder or a pulled repository", "none of these",
                "weft pull " + to_string(spec));
  };
  std::vector<std::string> listing;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error)) listing.push_back(fs::relative(it->path(), folder, error).string());
  }
  if (listing.empty()) return missing();
  const auto files = choose_files(spec, listing);
  if (!files) return missing();
  return files->front().ends_with(".gguf") || !spec.selector.empty() ? folder + "/" + files->front() : folder;
}

}  // namespace weft::cli
