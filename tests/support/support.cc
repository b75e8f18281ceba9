#include "support/support.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace weft::test {
namespace {

class MemorySource : public ByteSource {
 public:
  MemorySource(std::string name, std::string bytes, bool map)
      : name_(std::move(name)), bytes_(std::move(bytes)), map_(map) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  Task<Status> read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset)
      co_return fail(Code::io, name_, "read beyond the end");
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    co_return Status{};
  }
  const std::byte* mapped() const override {
    return map_ ? reinterpret_cast<const std::byte*>(bytes_.data()) : nullptr;
  }

 private:
  std::string name_, bytes_;
  bool map_;
};

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

std::string source_dir() { return WEFT_SOURCE_DIR; }

std::string golden_dir(const std::string& name) {
  std::string path = source_dir() + "/tests/golden/" + name;
  if (!std::filesystem::exists(path)) {
    std::fprintf(stderr, "missing golden %s\n", path.c_str());
    std::abort();
  }
  return path;
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

std::unique_ptr<ByteSource> memory_source(std::string name, std::string bytes, bool map) {
  return std::make_unique<MemorySource>(std::move(name), std::move(bytes), map);
}

Result<std::unique_ptr<ByteSource>> TestHost::open(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return fail(Code::not_found, path, "file", "a regular file", "none");
  return memory_source(path, read_text(path));
}

void TestHost::log(LogLevel, std::string_view text) { logged.emplace_back(text); }

double TestHost::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Task<void> TestHost::yield() {
  ++yields;
  co_return;
}

int TestHost::cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::unique_ptr<Workers> TestHost::start_workers(int count, std::function<void(int)> body) {
  return std::make_unique<ThreadWorkers>(count, std::move(body));
}

}  // namespace weft::test
