// A host whose files are strings: `files["model.gguf"] = bytes`.
#pragma once

#include <map>

#include "support/support.h"

namespace weft::test {

class MemoryHost : public TestHost {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override {
    auto it = files.find(path);
    if (it == files.end()) return fail(Code::not_found, path, "file", "a file", "none");
    return memory_source(path, it->second, map);
  }
  std::map<std::string, std::string> files;
  bool map = true;
};

}  // namespace weft::test
