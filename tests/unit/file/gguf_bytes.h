// GGUF bytes put together by hand, so that the reader is tested against something that is not our writer, and so that
// every field can be wrong.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weft::test {

struct Raw {
  std::string text;

  template <class T>
  Raw& put(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Raw& u8(uint8_t v) { return put(v); }
  Raw& u32(uint32_t v) { return put(v); }
  Raw& u64(uint64_t v) { return put(v); }
  Raw& str(std::string_view v) {
    u64(v.size());
    text += v;
    return *this;
  }
  Raw& head(uint64_t tensors, uint64_t pairs, uint32_t version = 3) {
    text += "GGUF";
    return u32(version).u64(tensors).u64(pairs);
  }
  Raw& kv(std::string_view key, uint32_t type) { return str(key).u32(type); }
  Raw& kv_string(std::string_view key, std::string_view value) { return kv(key, 8).str(value); }
  Raw& kv_u32(std::string_view key, uint32_t value) { return kv(key, 4).u32(value); }
  // Dimensions as the file has them: innermost first.
  Raw& tensor(std::string_view name, std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    str(name).u32(static_cast<uint32_t>(dims.size()));
    for (uint64_t d : dims) u64(d);
    return u32(type).u64(offset);
  }
  Raw& align(size_t to = 32) {
    text.resize((text.size() + to - 1) / to * to);
    return *this;
  }
  Raw& zeros(size_t n) {
    text.append(n, '\0');
    return *this;
  }
};

}  // namespace weft::test
