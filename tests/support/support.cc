#include "support/support.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

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

}  // namespace

std::string source_dir() { return WEFT_SOURCE_DIR; }

std::string golden_dir(const std::string& name) {
  std::string path = source_dir() + "/tests/golden/" + name;
  // A folder is known by a file in it: not every host can ask for folders.
  if (!file_exists(source_dir() + "/tests/golden/" + name.substr(0, name.find('/')) + "/golden.json")) {
    std::fprintf(stderr, "missing golden %s\n", path.c_str());
    std::abort();
  }
  return path;
}

std::unique_ptr<ByteSource> memory_source(std::string name, std::string bytes, bool map) {
  return std::make_unique<MemorySource>(std::move(name), std::move(bytes), map);
}

Result<std::unique_ptr<ByteSource>> TestHost::open(const std::string& path) {
  if (!file_exists(path)) return fail(Code::not_found, path, "file", "a regular file", "none");
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

}  // namespace weft::test
