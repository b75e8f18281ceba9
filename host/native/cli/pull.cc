// weft pull: a model from a Hugging Face repository or any URL into the local cache.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cache.h"
#include "command.h"
#include "disk.h"
#include "download.h"

namespace weft::cli {
namespace {

struct Options {
  std::string source, sha256, revision, output;
  int64_t retries = 5, stall = 60;
  float retry_wait = 1;
};

struct RemoteFile {
  std::string path;
  int64_t size = -1;
  std::string sha256;  // known for large files only
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value ? value : "";
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '/')) text.pop_back();
  return text;
}

std::string endpoint() {
  const std::string url = variable("HF_ENDPOINT");
  return url.empty() ? "https://huggingface.co" : url;
}

// Only names that stay inside the folder: a listing comes from the network.
bool safe_path(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\\') != std::string::npos) return false;
  for (const auto& part : std::filesystem::path(path)) {
    if (part == ".." || part == "." || part.empty()) return false;
  }
  return std::none_of(path.begin(), path.end(), [](unsigned char c) { return c < 32; });
}

std::string escaped(const std::string& path) {
  std::string out;
  for (const unsigned char c : path) {
    out += std::isalnum(c) || c == '/' || c == '-' || c == '_' || c == '.' || c == '~'
               ? std::string(1, static_cast<char>(c))
               : format("%%%02X", c);
  }
  return out;
}

Result<std::vector<RemoteFile>> list_repo(const RepoSpec& spec, const HttpOptions& options) {
  const std::string url =
      endpoint() + "/api/models/" + spec.owner + "/" + spec.repo + "/tree/" + spec.revision + "?recursive=true";
  WEFT_TRY(const std::string text, http_get(url, options));
  WEFT_TRY(const Json listing, parse_json(text, url));
  if (!listing.is_array()) return fail(Code::bad_file, url, "listing", "an array", listing.type_name());
  std::vector<RemoteFile> files;
  for (const Json& entry : listing) {
    const Json* path = json_member(entry, "path");
    const Json* type = json_member(entry, "type");
    if (!path || !path->is_string() || (type && *type != "file")) continue;
    RemoteFile file{path->get<std::string>()};
    if (!safe_path(file.path)) return fail(Code::bad_file, url, "file name", "a path inside the repository", file.path);
    if (const Json* size = json_member(entry, "size"); size && size->is_number_unsigned())
      file.size = size->get<int64_t>();
    if (const Json* lfs = json_member(entry, "lfs")) {
      const Json* oid = json_member(*lfs, "oid");
      if (oid && oid->is_string()) file.sha256 = oid->get<std::string>();
    }
    files.push_back(std::move(file));
  }
  return files;
}

struct Job {
  std::string url, path, name;
  RemoteFile file;
};

Result<std::vector<Job>> plan_repo(RepoSpec spec, const Options& o, const HttpOptions& http) {
  if (!o.revision.empty()) spec.revision = o.revision;
  WEFT_TRY(const std::vector<RemoteFile> files, list_repo(spec, http));
  std::vector<std::string> listing;
  for (const RemoteFile& file : files) listing.push_back(file.path);
  WEFT_TRY(const std::vector<std::string> chosen, choose_files(spec, listing));
  WEFT_TRY(const std::string folder, repo_folder(spec));
  std::vector<Job> jobs;
  for (const std::string& path : chosen) {
    const auto file = std::find_if(files.begin(), files.end(), [&](const RemoteFile& f) { return f.path == path; });
    jobs.push_back({endpoint() + "/" + spec.owner + "/" + spec.repo + "/resolve/" + spec.revision + "/" + escaped(path),
                    folder + "/" + path, path, *file});
  }
  return jobs;
}

Result<std::vector<Job>> plan_url(const std::string& url) {
  const std::string origin = origin_of(url);
  if (origin.empty()) return fail(Code::invalid_argument, url, "source", "owner/repo or an http(s) URL", "");
  const std::string bare = url.substr(0, url.find_first_of("?#"));
  std::string name = bare.substr(bare.rfind('/') + 1), host = origin.substr(origin.find("//") + 2);
  for (std::string* text : {&name, &host}) {
    for (char& c : *text) {
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') c = '_';
    }
  }
  if (name.empty() || name.front() == '.')
    return fail(Code::invalid_argument, url, "source", "a URL that ends in a file name", "");
  WEFT_TRY(const std::string cache, cache_folder());
  return std::vector<Job>{{url, cache + "/url/" + host + "/" + name, name, {}}};
}

Outcome pull(Context& context, const Options& o) {
  HttpOptions http{.token = variable("HF_TOKEN"),
                   .token_host = origin_of(endpoint()),
                   .retries = static_cast<int>(o.retries),
                   .retry_wait = o.retry_wait,
                   .stall = o.stall,
                   .cancel = &interrupt_flag()};
  if (std::any_of(http.token.begin(), http.token.end(), [](unsigned char c) { return c <= 32 || c > 126; })) {
    return fail(Code::invalid_argument, "HF_TOKEN", "token", "printable characters only", "");
  }
  if (http.token_host.empty())
    return fail(Code::invalid_argument, "HF_ENDPOINT", "server", "an http(s) URL", endpoint());
  const bool is_url = o.source.find("://") != std::string::npos;
  const auto spec = is_url ? std::nullopt : parse_repo(o.source);
  if (!is_url && !spec)
    return usage_error("pull", "'" + o.source + "' is neither owner/repo[:file or format] nor a URL");
  if (!o.sha256.empty() &&
      (o.sha256.size() != 64 || o.sha256.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)) {
    return usage_error("pull", "--sha256 needs 64 hexadecimal digits");
  }
  catch_interrupt();
  auto planned = is_url ? plan_url(o.source) : plan_repo(*spec, o, http);
  if (!planned) return fail(planned.error());
  std::vector<Job>& jobs = *planned;
  if (!o.sha256.empty()) {
    if (jobs.size() > 1) return usage_error("pull", "--sha256 is for one file, and this model has several");
    std::transform(o.sha256.begin(), o.sha256.end(), std::back_inserter(jobs[0].file.sha256 = ""),
                   [](unsigned char c) { return std::tolower(c); });
  }
  if (!o.output.empty()) {
    if (jobs.size() > 1) return usage_error("pull", "-o is for one file, and this model has several");
    jobs[0].path = o.output;
  }
  int64_t total = 0, received = 0;
  OrderedJson files = OrderedJson::array();
  const double started = seconds_now();
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Job& job = jobs[i];
    Progress bar(jobs.size() > 1 ? format("%s (%zu of %zu)", job.name.c_str(), i + 1, jobs.size()) : job.name);
    http.progress = [&](int64_t done, int64_t all) { bar.update(done, all); };
    http.log = [&](const std::string& line) { bar.clear(), note(job.name + ": " + line); };
    auto done = download({job.url, job.path, job.file.sha256, job.file.size, !o.output.empty()}, http);
    bar.clear();
    if (!done) return fail(done.error());
    total += done->bytes, received += done->received;
    const char* how = done->present   ? (done->checked ? "already there, SHA-256 agrees" : "already there")
                      : done->checked ? "SHA-256 agrees"
                                      : "size agrees, no SHA-256 known";
    note(format("%s  %s  %s", job.name.c_str(), human_bytes(static_cast<double>(done->bytes)).c_str(),
                styled(stderr, Style::dim, how).c_str()));
    files.push_back({{"path", job.path},
                     {"bytes", done->bytes},
                     {"received", done->received},
                     {"sha256", done->sha256.empty() ? OrderedJson() : OrderedJson(done->sha256)},
                     {"checked", done->checked},
                     {"present", done->present}});
  }
  // What -m takes: the file, or the folder of a model made of several kinds of files.
  const bool folder = !is_url && jobs.front().name.find(".gguf") == std::string::npos && jobs.size() > 1;
  const std::string path = folder ? std::filesystem::path(jobs.front().path).parent_path().string() : jobs.front().path;
  const double seconds = seconds_now() - started;
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json(
        {{"path", path}, {"bytes", total}, {"received", received}, {"seconds", seconds}, {"files", files}}));
    return kOk;
  }
  WEFT_CHECK_OK(context.print(path + "\n"));
  if (received > 0 && is_terminal(stderr)) {
    note(styled(stderr, Style::dim,
                "try: weft generate -m " + (is_url || !o.output.empty() ? path : to_string(*spec)) + " -p \"Hello\""));
  }
  return kOk;
}

}  // namespace

Command pull_command() {
  auto o = std::make_shared<Options>();
  return {
      "pull",
      "Download a model into the local cache",
      "  weft pull Qwen/Qwen2.5-0.5B-Instruct-GGUF\n"
      "  weft pull bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M\n"
      "  weft pull https://example.org/model.gguf --sha256 9f86d081884c7d65…\n"
      "  weft generate -m Qwen/Qwen2.5-0.5B-Instruct-GGUF -p Hello\n",
      kJson,
      [o](Args& args) {
        args.positional("source", o->source, "owner/repo[:file or number format] on Hugging Face, or a URL").required();
        args.option("-o,--output", o->output, "write here instead of the cache (one file)").file();
        args.option("--revision", o->revision, "branch, tag or commit of the repository").value("NAME");
        args.option("--sha256", o->sha256, "what the file must be").value("HEX");
        args.option("--retries", o->retries, "attempts after a failure without progress (5)").between(0, 1000);
        args.option("--retry-wait", o->retry_wait, "seconds before the first of them, then doubling (1)")
            .between(0, 3600);
        args.option("--stall", o->stall, "give a connection up after so many seconds without data (60)")
            .between(1, 86400);
      },
      [o](Context& context) { return pull(context, *o); }};
}

}  // namespace weft::cli
