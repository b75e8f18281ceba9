// Included before json.cc in the threads build. Debian's libc has one errno for the program, while its header declares
// one a thread, which does not link against it. Only the main thread parses numbers.
#define thread_local
#include <__errno.h>
#undef thread_local
