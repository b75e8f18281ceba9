#include "cpu/memory.h"

#include <cstdlib>
#include <cstring>
#include <limits>
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
  if (static_cast<uint64_t>(bytes) > std::numeric_limits<size_t>::max() / 2) return refused();  // of 32 bits
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

void Memory::use_small_pages(int64_t offset) {
#if defined(WEFT_HAS_MMAP) && defined(MADV_NOHUGEPAGE)
  constexpr int64_t kPage = 65536;  // a multiple of every page size in use
  const int64_t begin = (offset + kPage - 1) / kPage * kPage;
  if (begin < size_) madvise(data_ + begin, static_cast<size_t>(size_ - begin), MADV_NOHUGEPAGE);
#else
  (void)offset;
#endif
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
