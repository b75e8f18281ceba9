// The parts of support.h for WASM: a program of tests runs in a worker that may block, and asks JavaScript for files
// and for what other workers answered (tests/browser/programs/program.mjs). There are no threads.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/pending.h"
#include "support/support.h"

#define WEFT_TEST_IMPORT(name) __attribute__((import_module("weft_test"), import_name(#name)))
#define WEFT_EXPORT(name) extern "C" __attribute__((export_name(#name)))

extern "C" {
// Blocks until something was settled.
WEFT_TEST_IMPORT(wait) void weft_test_wait();
// Bytes of a file, or -1; of a folder, of the names in it, a line each.
WEFT_TEST_IMPORT(file_size) double weft_test_file_size(const char* path, size_t length, int folder);
// All bytes of what file_size was last asked about.
WEFT_TEST_IMPORT(file_read) void weft_test_file_read(char* out);
}

// The program itself, whose module is a reactor: a command's exports run destructors when they return. Does not return.
extern "C" int __main_void();
WEFT_EXPORT(weft_test_main) void weft_test_main() { std::exit(__main_void()); }

WEFT_EXPORT(weft_alloc) void* weft_alloc(size_t bytes) { return std::malloc(bytes); }

WEFT_EXPORT(weft_settle) void weft_settle(uint32_t operation, int32_t code, char* text, size_t length) {
  std::string answer(text ? text : "", text ? length : 0);
  std::free(text);
  weft::settle(operation, static_cast<weft::Code>(code), std::move(answer));
}

namespace weft::test {
namespace {

std::map<std::string, std::string>& written() {
  static std::map<std::string, std::string> files;
  return files;
}

std::optional<std::string> find(const std::string& path, bool folder) {
  const auto found = written().find(path);
  if (found != written().end() && !folder) return found->second;
  const double size = weft_test_file_size(path.data(), path.size(), folder);
  if (size < 0) return std::nullopt;
  std::string bytes(static_cast<size_t>(size), 0);
  weft_test_file_read(bytes.data());
  return bytes;
}

}  // namespace

bool file_exists(const std::string& path) {
  return written().contains(path) || weft_test_file_size(path.data(), path.size(), 0) >= 0;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> paths;
  const std::string names = find(folder, true).value_or("");
  for (size_t at = 0, end; (end = names.find('\n', at)) != std::string::npos; at = end + 1)
    paths.push_back(folder + "/" + names.substr(at, end - at));
  return paths;
}

std::optional<std::string> shared_data(const std::string& name) {
  std::string path = source_dir() + "/../shared/data/" + name;
  if (file_exists(path)) return path;
  return std::nullopt;
}

std::string read_text(const std::string& path) {
  std::optional<std::string> bytes = find(path, false);
  if (bytes) return *std::move(bytes);
  std::fprintf(stderr, "cannot read %s\n", path.c_str());
  std::abort();
}

void write_text(const std::string& path, std::string_view text) { written()[path] = text; }

std::string temp_path(const std::string& name) { return "/written/" + name; }

void wait() { weft_test_wait(); }

int TestHost::cores() { return 1; }
std::unique_ptr<Workers> TestHost::start_workers(int, std::function<void(int)>) { return nullptr; }

}  // namespace weft::test
