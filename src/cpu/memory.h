// Large blocks of zeroed memory that cost nothing until they are touched (a 32k context that is never filled).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"

namespace weft {

class Memory {
 public:
  Memory() = default;
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    Memory gone(std::move(other));
    swap(gone);
    return *this;
  }
  ~Memory();

  // `bytes` zeroed bytes, 64-byte aligned. huge: large pages where the system has them, for what is filled at once
  // (a fault each 4 KB costs more than the copy itself). out_of_memory names `what`.
  static Result<Memory> zeroed(int64_t bytes, bool huge, const char* what);

  // What is not touched yet from `offset` on comes in ordinary pages again.
  void use_small_pages(int64_t offset);

  std::byte* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  void swap(Memory& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace weft
