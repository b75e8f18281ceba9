#include "support/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<long> count{0};
}

namespace weft::test {
long allocations() { return count; }
}  // namespace weft::test

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
void* operator new(size_t bytes) {
  ++count;
  void* memory = std::malloc(bytes ? bytes : 1);
  if (!memory) std::abort();
  return memory;
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  ++count;
  const size_t align = static_cast<size_t>(alignment);
  void* memory = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (!memory) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#endif
