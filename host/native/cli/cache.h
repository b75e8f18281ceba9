// Where pulled models live: $WEFT_CACHE, else $XDG_CACHE_HOME/weft, else ~/.cache/weft. A repository's files are in
// <cache>/<owner>/<repo>[@revision]/, files of other URLs in <cache>/url/<host>/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "native_host.h"

namespace weft::cli {

struct RepoSpec {
  std::string owner, repo, revision = "main";
  std::string selector;  // a file of the repository, or a number format ("Q8_0"); empty: choose
};

// "owner/repo", "owner/repo:Q8_0", "owner/repo@revision:file.gguf", each also with "hf:" before it. Empty where `text`
// has not that form.
std::optional<RepoSpec> parse_repo(std::string_view text);
std::string to_string(const RepoSpec& spec);
Result<std::string> repo_folder(const RepoSpec& spec);

// Which files of a listing make up the model that `spec` asks for, the one to open first; the order of preference
// without a selector is Q8_0, Q4_K_M, Q4_0, F16, BF16, then the first GGUF file, then safetensors with what belongs to
// them. not_found names what there is.
Result<std::vector<std::string>> choose_files(const RepoSpec& spec, const std::vector<std::string>& listing);

// The file or folder to open of a pulled repository; not_found says to pull.
Result<std::string> find_pulled(const RepoSpec& spec);

}  // namespace weft::cli
