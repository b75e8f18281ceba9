// The parts of support.h that need an operating system; wasm.cc has the others' for WASM.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "support/support.h"

namespace weft::test {
namespace {

class ThreadWorkers : public Workers {
 public:
  ThreadWorkers(int count, std::function<void(int)> body) {
    for (int i = 1; i <= count; ++i) threads_.emplace_back(body, i);
  }
  ~ThreadWorkers() override {
    for (auto& thread : threads_) thread.join();
  }

 private:
  std::vector<std::thread> threads_;
};

struct TempDir {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("weft-test-" + std::to_string(getpid()));
  TempDir() { std::filesystem::create_directories(path); }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

bool file_exists(const std::string& path) { return std::filesystem::is_regular_file(path); }

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path().string());
  return paths;
}

std::optional<std::string> shared_data(const std::string& name) {
  std::string path = source_dir() + "/../shared/data/" + name;
  if (std::filesystem::exists(path)) return path;
  return std::nullopt;
}

std::string read_text(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::abort();
  }
  std::string text;
  char buffer[65536];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  std::fclose(file);
  return text;
}

void write_text(const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(text.data(), 1, text.size(), file) != text.size() || std::fclose(file) != 0) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    std::abort();
  }
}

std::string temp_path(const std::string& name) {
  static TempDir dir;
  return (dir.path / name).string();
}

void wait() { check_failed("the task suspended in a test host", __FILE__, __LINE__); }

int TestHost::cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::unique_ptr<Workers> TestHost::start_workers(int count, std::function<void(int)> body) {
  return std::make_unique<ThreadWorkers>(count, std::move(body));
}

}  // namespace weft::test
