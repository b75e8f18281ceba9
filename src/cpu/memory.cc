#include "cpu/memory.h"

#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__linux__) || defined(__APPLE__)
#include <sys/mman.h>
#define WEFT_HAS_MMAP 1
#endif

namespace weft {

Result<Memory> Memory::zeroed(int64_t bytes, bool huge, const char* what) {
  Memory memory;
  if (bytes <= 0) return memory;
  auto refused = [&] {
    return fail(Code::out_of_memory, "cpu", std::string("memory for ") + what, {}, std::to_string(bytes) + " bytes");
  };
#ifdef WEFT_HAS_MMAP
  void* data = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return refused();
#ifdef MADV_HUGEPAGE
  if (huge) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
#else
  (void)huge;
  const size_t rounded = (static_cast<size_t>(bytes) + 63) / 64 * 64;
  void* data = std::aligned_alloc(64, rounded);
  if (!data) return refused();
  std::memset(data, 0, rounded);
#endif
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = bytes;
  return memory;
}

Memory::~Memory() {
  if (!data_) return;
#ifdef WEFT_HAS_MMAP
  munmap(data_, static_cast<size_t>(size_));
#else
  std::free(data_);
#endif
}

}  // namespace weft
