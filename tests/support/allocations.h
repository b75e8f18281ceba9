// Counts what operator new hands out in a program that asks: linking this replaces it.
//
//   if (!kCountsAllocations) GTEST_SKIP() << "skipped: a sanitizer's allocator";
//   const long before = allocations();
//   …
//   EXPECT_EQ(allocations(), before);
//
// Libraries that the program loads (Dawn, drivers) have an operator new of their own, which is not counted.
#pragma once

namespace weft::test {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kCountsAllocations = false;  // sanitizers have allocators of their own
#else
inline constexpr bool kCountsAllocations = true;
#endif

long allocations();  // of all threads so far

}  // namespace weft::test
