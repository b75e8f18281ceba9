// CHECK(condition): an invariant of our own code. It aborts with file and line, so it must not depend on input;
// for input use Result.
#pragma once

namespace weft {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition) ((condition) ? (void)0 : ::weft::check_failed(#condition, __FILE__, __LINE__))
