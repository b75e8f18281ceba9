// A host whose files are pieces of the fuzzer's input.
#pragma once

#include <cstring>
#include <map>
#include <memory>

#include "base/host.h"

namespace weft::fuzz {

class Piece : public ByteSource {
 public:
  Piece(std::string name, std::span<const std::byte> bytes, bool map)
      : name_(std::move(name)), bytes_(bytes), map_(map) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  Task<Status> read(uint64_t offset, std::span<std::byte> out) override {
    CHECK(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);  // the contract of read
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    co_return Status{};
  }
  const std::byte* mapped() const override { return map_ ? bytes_.data() : nullptr; }

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
  bool map_;
};

class PieceHost : public Host {
 public:
  std::map<std::string, std::span<const std::byte>> files;
  bool map = true;

  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override {
    auto it = files.find(path);
    if (it == files.end()) return fail(Code::not_found, path, "file", "a file", "none");
    return std::make_unique<Piece>(path, it->second, map);
  }
  void log(LogLevel, std::string_view) override {}
  double now() override { return 0; }
  Task<void> yield() override { co_return; }
  std::unique_ptr<Workers> start_workers(int, std::function<void(int)>) override { return nullptr; }
};

template <class T>
T run(Task<T> task) {
  return run_to_end(std::move(task), [] { CHECK(!"suspended"); });
}

}  // namespace weft::fuzz
