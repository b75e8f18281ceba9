#include "unit/file/count_allocations.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {
size_t g_largest = 0, g_total = 0;

void* counted(size_t size) {
  g_largest = std::max(g_largest, size);
  g_total += size;
  void* memory = std::malloc(size ? size : 1);
  if (!memory) std::abort();
  return memory;
}
}  // namespace

void* operator new(size_t size) { return counted(size); }
void* operator new[](size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace weft::test {

AllocationCount::AllocationCount() { g_largest = g_total = 0; }
size_t AllocationCount::largest() const { return g_largest; }
size_t AllocationCount::total() const { return g_total; }

}  // namespace weft::test
